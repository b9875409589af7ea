"""Run a candidate beside what is active, event by event, and report on it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.capture import price_history
from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.labelling.calendar import load_calendar
from ordinis_learn.market.limits import DeskParameters
from ordinis_learn.ports import Ledger, ModelRegistry
from ordinis_learn.records import DECLARED, ModelArtifact, ModelType, ShadowReport, file_sha256
from ordinis_learn.rollout.shadow_files import shadow_file, write_predictions
from ordinis_learn.rollout.tags import SHADOW_TAG
from ordinis_learn.shadow.feed import FeatureFeed, Source
from ordinis_learn.shadow.isolated import LOADER, IsolatedModel
from ordinis_learn.shadow.lock import sole_runner
from ordinis_learn.shadow.outcomes import Outcomes
from ordinis_learn.shadow.parity import live_parity
from ordinis_learn.shadow.report import Provenance, shadow_report
from ordinis_learn.shadow.runner import ShadowRunner
from ordinis_learn.shadow.store import ShadowIdentity, ShadowStore
from ordinis_learn.use_cases.find import find_artifact, find_incumbent
from ordinis_learn.use_cases.sign import reference, submit
from ordinis_learn.workbench import Workbench

__all__ = ["LedgerIncumbents", "kept_source", "report_shadow", "shadow_runner"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Ints = npt.NDArray[np.int64]


class LedgerIncumbents:
    """What was ACTIVE when an event came in, as the ledger has it.

    Where nothing was (before the first version, or while flat) it is the version to beat now, which is what the gate will ask
    about. Never the candidate itself.
    """

    def __init__(self, ledger: Ledger, registry: ModelRegistry, *, name: str, version: str) -> None:
        self._ledger = ledger
        self._registry = registry
        self._name = name
        self._version = version

    def versions(self, ts_ingest: Ints) -> Sequence[str | None]:
        """Return a version for each moment (microseconds, UTC); the ledger is asked once for each stretch between its records."""
        fallback = self._registry.incumbent(self._name)
        moves = sorted({_microseconds(record.at) for record in self._ledger.history(self._name)})
        stretch = np.searchsorted(np.array(moves, dtype=np.int64), ts_ingest, side="right")
        known = {
            int(number): self._ledger.active_at(self._name, _moment(moves[number - 1])) if number else None
            for number in np.unique(stretch)
        }
        found = [known[int(number)] or fallback for number in stretch]
        return [None if version == self._version else version for version in found]

    def folder(self, version: str) -> Path:
        """Return a version's bundle, its bytes verified."""
        return self._registry.local_path(self._name, version)


@contextmanager
def shadow_runner(
    bench: Workbench, name: str, version: str, *, source: Source, loader: str = LOADER
) -> Iterator[ShadowRunner]:
    """Open the one runner of a version; leaving it ends the models' processes and releases the lock.

    Raises
    ------
    ConfigInvalid
        The version is no signal model, or the predictions that are there were begun otherwise.
    StoreUnavailable
        Another runner is at work on this version, or the folder cannot be written.
    """
    artifact = _signal_model(find_artifact(bench, name, version))
    with ExitStack() as stack:
        stack.enter_context(sole_runner(_file(bench, artifact, ".lock"), now=bench.clock()))
        identity = ShadowIdentity(
            name=artifact.name,
            version=artifact.version,
            artifact_sha256=artifact.artifact_sha256,
            source=source,
            log=bench.log.identity(),
        )
        runner = ShadowRunner(
            _feed(bench, artifact, source),
            store=stack.enter_context(ShadowStore(_file(bench, artifact, ".db"), identity=identity)),
            candidate=bench.registry.local_path(artifact.name, artifact.version),
            incumbents=LedgerIncumbents(
                bench.ledger, bench.registry, name=artifact.name, version=artifact.version
            ),
            open_model=functools.partial(
                IsolatedModel, limit_seconds=bench.settings.learn_shadow_time_limit_s, loader=loader
            ),
            clock=bench.clock,
        )
        stack.callback(runner.close)
        yield runner


def kept_source(bench: Workbench, artifact: ModelArtifact) -> Source | None:
    """Return what a version's runner began to read; None where none has run."""
    path = _file(bench, artifact, ".db")
    if not path.exists():
        return None
    with ShadowStore(path) as store:
        return _source_of(store)


def report_shadow(
    bench: Workbench, name: str, version: str, *, calendar: str = "XNYS", loader: str = LOADER
) -> ShadowReport:
    """Report on what a runner has kept, write it as Parquet, sign the report and attach it to the version.

    What counts begins the day after the last session that training or a pack has seen, and is not chosen: an interval that
    may be looked at every day holds for one beginning.

    Raises
    ------
    DataMissing
        No runner has kept anything that counts, or there are no bars.
    """
    artifact = _signal_model(find_artifact(bench, name, version))
    incumbent = find_incumbent(bench, artifact)
    kept, seen = _kept(bench, artifact)
    report = shadow_report(
        kept,
        outcomes=_outcomes(bench, calendar),
        subject=reference(artifact),
        active=None if incumbent is None else reference(incumbent),
        counted_from=_counted_from(bench, artifact),
        desk=DeskParameters(),
        provenance=Provenance(
            position=seen.position,
            source=seen.source,
            predictions_sha256=_written(bench, artifact, kept),
            parity_max_abs_diff=_parity(bench, artifact, kept, seen=seen, loader=loader),
        ),
        clock=bench.clock,
    )
    submit(bench, "shadow", key=SHADOW_TAG, subject=reference(artifact), predicate=report)
    return report


class _Seen(NamedTuple):
    """What a runner has read: which events, and up to which position of the log."""

    source: Source
    position: int


def _kept(bench: Workbench, artifact: ModelArtifact) -> tuple[dict[str, npt.NDArray[Any]], _Seen]:
    path = _file(bench, artifact, ".db")
    if not path.exists():
        raise DataMissing(
            f"report on the shadow of {artifact.name} {artifact.version}",
            found=f"no predictions at {path}",
            next_step=f"ordinis-learn shadow run {artifact.name} {artifact.version}",
        )
    with ShadowStore(path) as store:
        position = store.position
        return store.columns(until=position), _Seen(_source_of(store), position)


def _parity(
    bench: Workbench, artifact: ModelArtifact, kept: dict[str, npt.NDArray[Any]], *, seen: _Seen, loader: str
) -> float:
    folder = bench.registry.local_path(artifact.name, artifact.version)
    limit = max(60.0, bench.settings.learn_shadow_time_limit_s)
    with IsolatedModel(folder, limit_seconds=limit, loader=loader) as model:
        return live_parity(model, kept, feed=_feed(bench, artifact, seen.source), position=seen.position)


def _written(bench: Workbench, artifact: ModelArtifact, kept: dict[str, npt.NDArray[Any]]) -> str:
    """Write the rows as Parquet and return the file's hash."""
    table = pa.table({column: pa.array(values, from_pandas=True) for column, values in kept.items()})
    folder = bench.settings.shadow_dir
    return file_sha256(write_predictions(table, folder=folder, name=artifact.name, version=artifact.version))


def _outcomes(bench: Workbench, calendar: str) -> Outcomes:
    history = price_history(bench.log)
    days = [day.astype("datetime64[D]").item() for day in (history.sessions[0], history.sessions[-1])]
    return Outcomes.of(history, calendar=load_calendar(calendar, start=days[0], end=days[1]))


def _feed(bench: Workbench, artifact: ModelArtifact, source: Source) -> FeatureFeed:
    """Return what reads features; a history is counted by the sessions that the version was trained on, else by the desk's."""
    trained = artifact.data_snapshot_ref != DECLARED
    calendar = (
        bench.catalogue.dataset(artifact.data_snapshot_ref).window.calendar
        if trained
        else bench.settings.learn_watch_calendar
    )
    return FeatureFeed(bench.log, source=source, calendar=calendar)


def _source_of(store: ShadowStore) -> Source:
    return "signals" if store.identity.source == "signals" else "features"


def _counted_from(bench: Workbench, artifact: ModelArtifact) -> date:
    """Return the day after the last session that the version was fitted or judged on."""
    seen = [card.pack_end for card in bench.catalogue.scorecards(artifact.artifact_id) if card.pack_end]
    if artifact.data_snapshot_ref != DECLARED and artifact.trained_until:
        seen.append(date.fromisoformat(artifact.trained_until[:10]))
    return max(seen) + timedelta(days=1) if seen else date(1970, 1, 1)


def _signal_model(artifact: ModelArtifact) -> ModelArtifact:
    if artifact.model_type != ModelType.SIGNAL_MODEL:
        raise ConfigInvalid(
            f"run {artifact.name} {artifact.version} beside the active version",
            found=f"a {artifact.model_type}",
            next_step="name a signal model",
        )
    return artifact


def _file(bench: Workbench, artifact: ModelArtifact, suffix: str) -> Path:
    return shadow_file(bench.settings.shadow_dir, name=artifact.name, version=artifact.version, suffix=suffix)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
