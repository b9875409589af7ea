"""Build a retrieval evaluation set from captured answers of language models."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from ordinis_learn.datasets.answer_suite import answer_suite, validate_answers
from ordinis_learn.datasets.answers import ANSWER_RULES, Answers, read_answers
from ordinis_learn.datasets.content import column_types, content_sha256
from ordinis_learn.datasets.profile import profile_feature
from ordinis_learn.datasets.storage import TableFile
from ordinis_learn.datasets.store import (
    build_command,
    check_dataset_id,
    publish,
    published,
    rejection,
    require_same_suite,
    restore,
)
from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.ports import Clock, EventLog
from ordinis_learn.records import (
    DatasetManifest,
    DatasetWindow,
    FeatureProfile,
    JoinQuality,
    LabelStats,
    hash_of,
)

__all__ = ["RagEvalBuilder"]

_KIND: Final = "rag_eval"
_VERSION_DIGITS: Final = 16
_PROFILED: Final = ("retrieved_count", "cited_count", "cited_retrieved_share", "relevant_count", "grade")


class RagEvalBuilder:
    """Builds ``rag_eval`` datasets, one folder per version, under the rules of the signal datasets.

    :mod:`ordinis_learn.datasets.answers` says which answer and which feedback counts. ``label_stats["grade"]`` speaks of
    the graded rows; ``join_quality.carried`` counts them, ``none`` the others.

    Parameters
    ----------
    log : EventLog
        Where answers and feedback are read.
    root : Path
        ``<dataset_id>/<version>/`` is written below it.
    min_samples : int
        ``LEARN_MIN_SAMPLES``: how many distinct requests there must be.
    code_commit : str
        Recorded in the manifest.
    clock : Clock
        Says when a manifest was made.
    """

    def __init__(
        self, log: EventLog, *, root: Path, min_samples: int, code_commit: str, clock: Clock
    ) -> None:
        self._log = log
        self._root = root
        self._min_samples = min_samples
        self._code_commit = code_commit
        self._clock = clock

    def build(self, dataset_id: str, window: DatasetWindow) -> DatasetManifest:
        """Build one window.

        Raises
        ------
        ConfigInvalid
            The id cannot be a folder name, the window names symbols, or this version was judged by another suite.
        DataMissing
            Too few usable answers; the reasons why others were left out are counted. Nothing is written.
        DatasetRejected
            The dataset was written but failed its expectations; ``data["manifest"]`` holds its manifest.
        StoreUnavailable
            The folder cannot be written.
        """
        check_dataset_id(dataset_id)
        if window.symbols is not None:
            raise ConfigInvalid(
                f"build the {_KIND} dataset {dataset_id}",
                found="symbols in the window; answers have none",
                next_step="leave --symbol out",
            )
        answers = read_answers(self._log, window=window)
        self._require_rows(dataset_id, window, answers)
        manifest = self._publish(dataset_id, window, answers)
        if not manifest.validation.success:
            raise rejection(manifest, asked=f"build dataset {dataset_id} over {window.start}..{window.end}")
        return manifest

    def _publish(self, dataset_id: str, window: DatasetWindow, answers: Answers) -> DatasetManifest:
        table = answers.table
        content, suite = content_sha256(table), answer_suite()
        version = content[:_VERSION_DIGITS]
        known = published(self._root, dataset_id=dataset_id, version=version)
        if known is not None:
            require_same_suite(known, suite_hash=suite.content_hash())
            restore(TableFile(table=table), manifest=known, root=self._root)
            return known
        config = {"dataset_id": dataset_id, "kind": _KIND, "window": window.to_json()}
        stats = _grade_stats(table)
        draft = DatasetManifest(
            dataset_id=dataset_id,
            version=version,
            kind=_KIND,
            window=window,
            files=(),
            content_sha256=content,
            columns=column_types(table),
            feature_names=(),
            rows=table.num_rows,
            label_stats={"grade": stats},
            profile=_profiles(table),
            event_range=answers.event_range,
            join_quality=JoinQuality(carried=stats.labelled, none=table.num_rows - stats.labelled),
            query_hash=ANSWER_RULES,
            code_commit=self._code_commit,
            config_hash=hash_of(config, domain="ordinis.dataset.config"),
            suite_hash=suite.content_hash(),
            validation=validate_answers(table, minimum_samples=self._min_samples),
            created_at=self._clock(),
            left_out=answers.left_out,
        )
        return publish(TableFile(table=table), root=self._root, draft=draft)

    def _require_rows(self, dataset_id: str, window: DatasetWindow, answers: Answers) -> None:
        if answers.table.num_rows >= self._min_samples:
            return
        reasons = ", ".join(f"{count} {reason}" for reason, count in answers.left_out.items())
        raise DataMissing(
            f"build dataset {dataset_id} over {window.start}..{window.end}",
            found=f"{answers.table.num_rows} usable answers, {self._min_samples} are needed; "
            f"left out: {reasons or 'none'}",
            next_step="let responses carry output.retrieval with query, chunks and index_version, widen the "
            f"window or lower LEARN_MIN_SAMPLES: {build_command(dataset_id, window=window, kind=_KIND)}",
            rows=answers.table.num_rows,
            required=self._min_samples,
            left_out=answers.left_out,
        )


def _grade_stats(table: pa.Table) -> LabelStats:
    grade = table["grade"].drop_null().to_numpy()
    return LabelStats(
        labelled=len(grade),
        mean=float(grade.mean()) if len(grade) else None,
        std=float(grade.std(ddof=1)) if len(grade) > 1 else None,
        positive_share=float((grade >= 0.5).mean()) if len(grade) else None,
        effective_samples=float(len(grade)),
    )


def _profiles(table: pa.Table) -> dict[str, FeatureProfile]:
    return {name: profile_feature(np.asarray(table[name].to_numpy(), dtype=np.float64)) for name in _PROFILED}
