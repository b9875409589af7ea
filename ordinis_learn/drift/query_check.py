"""The drift check of an embedding model: are its queries still those that it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.drift.answer_days import AnswerVectors
from ordinis_learn.drift.judging import judge
from ordinis_learn.drift.measurement import Judgement
from ordinis_learn.drift.text_shift import measure_text_shift
from ordinis_learn.errors import DataMissing
from ordinis_learn.ports import Clock
from ordinis_learn.records import DriftReport

__all__ = ["MIN_QUERY_DAYS", "AskedQueries", "QueryVectors", "check_queries", "embed_queries"]

MIN_QUERY_DAYS: Final = 20
"""Days of a reference: how days differ is not known from fewer."""
_MOST_VECTORS: Final = 1500
_DRAWS: Final = 1999

Encode = Callable[[Sequence[str]], npt.NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class AskedQueries:
    """Queries and the UTC day of each, oldest first."""

    texts: tuple[str, ...]
    days: tuple[date, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class QueryVectors:
    """What queries were like over some days, without their texts.

    Attributes
    ----------
    days : datetime64[D] array, shape (T,)
        With a query, increasing.
    queries : int
        How many there were; at most 1,500 of them are vectors, every k-th.
    vectors : float32 array, shape (n, d)
    day : int64 array, shape (n,)
        The place of each in ``days``.
    """

    days: npt.NDArray[np.datetime64]
    queries: int
    vectors: npt.NDArray[np.float32]
    day: npt.NDArray[np.int64]

    def as_texts(self) -> AnswerVectors:
        """Return them as texts that depend on each other by their days alone."""
        return AnswerVectors(
            vectors=self.vectors, day=self.day, document=np.arange(len(self.day), dtype=np.int64)
        )


def embed_queries(asked: AskedQueries, *, encode: Encode) -> QueryVectors:
    """Embed queries by the model that is watched: what matters is where *it* puts them. At least one query."""
    days, day = np.unique(np.array(asked.days, dtype="datetime64[D]"), return_inverse=True)
    kept = np.arange(0, len(asked.texts), -(-len(asked.texts) // _MOST_VECTORS))
    vectors = encode([asked.texts[place] for place in kept])
    return QueryVectors(
        days=days,
        queries=len(asked.texts),
        vectors=vectors.astype(np.float32),
        day=day[kept].astype(np.int64),
    )


def check_queries(
    reference: QueryVectors,
    current: QueryVectors,
    *,
    name: str,
    version: str,
    dataset_ref: str,
    psi_floor: float,
    alpha: float,
    seed: int,
    clock: Clock,
) -> DriftReport:
    """Compare recent queries with those of the training dataset, in the model's own space.

    Raises
    ------
    DataMissing
        The reference spans fewer than 20 days, or either side too few stretches of days to tell.
    """
    asked = f"check the queries of {name} v{version} against {dataset_ref}"
    if len(reference.days) < MIN_QUERY_DAYS:
        raise DataMissing(
            asked,
            found=f"a training dataset with queries on {len(reference.days)} days, {MIN_QUERY_DAYS} are needed",
            next_step="train the next version on a dataset of a longer window: ordinis-learn datasets build ID --kind rag_eval",
        )
    judgement = Judgement(draws=_DRAWS, seed=seed, alpha=alpha, psi_floor=psi_floor)
    shift = measure_text_shift(
        "query", reference.as_texts(), current.as_texts(), days=len(reference.days), judgement=judgement
    )
    if shift is None:
        raise DataMissing(
            asked,
            found=f"queries on {len(current.days)} days lately: too few stretches of days to tell a shift by",
            next_step="raise LEARN_DRIFT_WINDOW_SESSIONS, or wait for more days",
        )
    findings = judge([shift], alpha=alpha)
    return DriftReport(
        model=name,
        version=version,
        dataset_ref=dataset_ref,
        start=_midnight(current.days[0]),
        end=_midnight(current.days[-1]),
        reference_rows=reference.queries,
        current_rows=current.queries,
        alpha=alpha,
        findings=findings,
        breached=any(finding.severity in {"warning", "critical"} for finding in findings),
        created_at=clock(),
    )


def _midnight(day: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=UTC)
