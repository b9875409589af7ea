"""Build a dataset from the event log: assemble, profile, validate, publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import Final
from uuid import uuid4

import pyarrow.compute as pc

from ordinis_learn.datasets.assembly import QUERY_HASH, Rows, assemble, assemble_in_buckets
from ordinis_learn.datasets.buckets import bucket_count
from ordinis_learn.datasets.execution import Executor, open_executor
from ordinis_learn.datasets.profile import join_quality, label_stats, profile_feature
from ordinis_learn.datasets.signal_suite import signal_suite, validate_signals
from ordinis_learn.datasets.storage import remove_tree
from ordinis_learn.datasets.store import (
    build_command,
    check_dataset_id,
    publish,
    published,
    rejection,
    require_same_suite,
    restore,
)
from ordinis_learn.datasets.window import window_calendar
from ordinis_learn.errors import DataMissing
from ordinis_learn.ports import Clock, EventLog
from ordinis_learn.records import (
    DatasetManifest,
    DatasetWindow,
    FeatureProfile,
    LabelStats,
    Topic,
    hash_of,
)

__all__ = ["DatasetBuilder"]

_VERSION_DIGITS: Final = 16


class DatasetBuilder:
    """Builds labelled signal datasets, one folder per version.

    The version is the first 16 hex digits of the content's hash. So a window that is built twice from the
    same events gives the same version, and the second build writes nothing; it returns the first manifest,
    with the provenance of the first build.

    Parameters
    ----------
    log : EventLog
        Where signals, bars, decisions and executions are read.
    root : Path
        ``<dataset_id>/<version>/`` is written below it.
    min_samples : int
        ``LEARN_MIN_SAMPLES``: how many effective samples the shortest horizon must have. Longer horizons
        overlap more and hold less evidence; training checks the one it uses.
    code_commit : str
        Recorded in the manifest.
    clock : Clock
        Says when a manifest was made.
    executor : callable, optional
        Opens what buckets of symbols are worked on with, where the log has signals for more than one; threads of
        this process where not given. Neither rows nor hashes depend on it.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        root: Path,
        min_samples: int,
        code_commit: str,
        clock: Clock,
        executor: Callable[[], AbstractContextManager[Executor]] = open_executor,
    ) -> None:
        self._log = log
        self._root = root
        self._min_samples = min_samples
        self._code_commit = code_commit
        self._clock = clock
        self._executor = executor

    def build(self, dataset_id: str, window: DatasetWindow) -> DatasetManifest:
        """Build one window.

        Raises
        ------
        ConfigInvalid
            The id cannot be a folder name, or this version was judged by another suite.
        DataMissing
            The window holds too little evidence. Nothing is written.
        DatasetRejected
            The dataset was written but failed its expectations; ``data["manifest"]`` holds its manifest.
        StoreUnavailable
            The folder cannot be written.
        """
        check_dataset_id(dataset_id)
        with self._assembled(window) as rows:
            names = [f"{name}_{h}d" for h in window.horizons for name in ("signed_ret", "uniqueness")]
            stats = label_stats(rows.read(names), horizons=window.horizons)
            self._require_evidence(dataset_id, window, rows, stats)
            manifest = self._publish(dataset_id, window, rows, stats)
        if not manifest.validation.success:
            raise rejection(manifest, asked=f"build dataset {dataset_id} over {window.start}..{window.end}")
        return manifest

    @contextmanager
    def _assembled(self, window: DatasetWindow) -> Iterator[Rows]:
        """Label the window: in memory, or in files where the log has too many signals for that."""
        buckets = bucket_count(self._log.counts().get(Topic.SIGNAL, 0))
        if buckets == 1:
            yield assemble(self._log, window=window)
            return
        folder = self._root / f".labelling-{uuid4().hex}"
        try:
            with self._executor() as executor:
                rows = assemble_in_buckets(
                    self._log, window=window, buckets=buckets, executor=executor, folder=folder
                )
            yield rows
        finally:
            remove_tree(folder)

    def _publish(
        self, dataset_id: str, window: DatasetWindow, rows: Rows, stats: dict[str, LabelStats]
    ) -> DatasetManifest:
        content = rows.content_sha256
        suite = signal_suite(
            horizons=window.horizons, features=rows.feature_columns, barriers=window.barriers
        )
        known = published(self._root, dataset_id=dataset_id, version=content[:_VERSION_DIGITS])
        if known is not None:
            require_same_suite(known, suite_hash=suite.content_hash())
            restore(rows, manifest=known, root=self._root)
            return known
        draft = DatasetManifest(
            dataset_id=dataset_id,
            version=content[:_VERSION_DIGITS],
            kind="signal",
            window=window,
            files=(),
            content_sha256=content,
            columns=dict(rows.columns),
            feature_names=rows.feature_names,
            rows=rows.num_rows,
            label_stats=stats,
            profile=_profiles(rows, window.horizons),
            event_range=rows.event_range,
            join_quality=join_quality(rows.read(["join_quality"])),
            query_hash=QUERY_HASH,
            code_commit=self._code_commit,
            config_hash=_config_hash(dataset_id, window),
            suite_hash=suite.content_hash(),
            validation=validate_signals(
                rows.data,
                horizons=window.horizons,
                features=rows.feature_columns,
                barriers=window.barriers,
                minimum_samples=self._min_samples,
            ),
            created_at=self._clock(),
        )
        return publish(rows, root=self._root, draft=draft)

    def _require_evidence(
        self, dataset_id: str, window: DatasetWindow, rows: Rows, stats: dict[str, LabelStats]
    ) -> None:
        shortest = f"{min(window.horizons)}d"
        if rows.num_rows and stats[shortest].effective_samples >= self._min_samples:
            return
        effective = {name: round(entry.effective_samples, 1) for name, entry in stats.items()}
        covered = _signal_days(self._log)
        raise DataMissing(
            f"build dataset {dataset_id} over {window.start}..{window.end}",
            found=f"{rows.num_rows} signals, worth {effective} effective samples, where {shortest} needs "
            f"{self._min_samples}; {_coverage(covered)}",
            next_step=_next_step(dataset_id, window, covered),
            rows=rows.num_rows,
            effective_samples=effective,
            required=self._min_samples,
            covered=covered,
        )


def _profiles(rows: Rows, horizons: Sequence[int]) -> dict[str, FeatureProfile]:
    """Profile the features by their name, and the forward return of each horizon by its column."""
    columns = dict(zip(rows.feature_names, rows.feature_columns, strict=True))
    columns |= {name: name for name in (f"fwd_ret_{horizon}d" for horizon in horizons)}
    return {name: profile_feature(rows.read([column])[column].to_numpy()) for name, column in columns.items()}


def _config_hash(dataset_id: str, window: DatasetWindow) -> str:
    config = {
        "dataset_id": dataset_id,
        "window": window.to_json(),
        "calendar": window_calendar(window).content_hash(),
    }
    return hash_of(config, domain="ordinis.dataset.config")


def _signal_days(log: EventLog) -> tuple[date, date] | None:
    moments = pc.min_max(log.scan(Topic.SIGNAL)["ts_event"]).as_py()
    return None if moments["min"] is None else (moments["min"].date(), moments["max"].date())


def _coverage(covered: tuple[date, date] | None) -> str:
    return (
        "the log holds no signals"
        if covered is None
        else f"the log has signals of {covered[0]}..{covered[1]}"
    )


def _next_step(dataset_id: str, window: DatasetWindow, covered: tuple[date, date] | None) -> str:
    if covered is None:
        return "record signals and bars first, with LearningEngine.record_event"
    if window.start <= covered[0] and covered[1] <= window.end:
        return "record more events, or lower LEARN_MIN_SAMPLES if so little evidence will do"
    span = {"start": min(window.start, covered[0]), "end": max(window.end, covered[1])}
    command = build_command(dataset_id, window=window.model_copy(update=span))
    return f"widen the window: {command}; or lower LEARN_MIN_SAMPLES"
