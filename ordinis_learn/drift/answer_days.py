"""Recorded answers of a language model as counts by day, and as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers import Outcome, RecordedAnswer, recorded_clusters
from ordinis_learn.drift.binning import Float1D, Float2D, Int1D
from ordinis_learn.models import Encoder

__all__ = ["SHARES", "AnswerDays", "AnswerVectors", "count_answers", "embed_answers"]

SHARES: Final = ("refusal_rise", "schema_fail_rise", "uncovered_rise", "slow_rise")
"""What is counted: refusals of answers; outputs that break their schema (after one repair) and claims without a citation
that resolves, where the model did not refuse; answers slower than 95 % of the reference's."""

_MOST_VECTORS: Final = 1500


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswerVectors:
    """A part of the answers as vectors, oldest first.

    Attributes
    ----------
    vectors : float32 array, shape (n, d)
    day, document : int64 arrays, shape (n,)
        Which day each was given on, numbered from 0, and which answers lean on the same documents.
    """

    vectors: npt.NDArray[np.float32]
    day: Int1D
    document: Int1D


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswerDays:
    """Counts by day.

    Attributes
    ----------
    days : datetime64[D] array, shape (T,)
        UTC days with an answer, increasing.
    counts : float64 array, shape (T, 4, 2)
        For each of :data:`SHARES` how many did, and of how many.
    answers : int
    """

    days: npt.NDArray[np.datetime64]
    counts: Float2D
    answers: int


def count_answers(answers: Sequence[RecordedAnswer], *, slow_ms: float) -> AnswerDays:
    """Count answers by day.

    Parameters
    ----------
    answers : sequence of RecordedAnswer
        At least one.
    slow_ms : float
        Latency from which on an answer is slow.
    """
    days, day = _days(answers)
    rows = np.array([_counted(one.outcome, slow_ms=slow_ms) for one in answers])
    counts = np.zeros((len(days), len(SHARES), 2))
    np.add.at(counts, day, rows)
    return AnswerDays(days=days, counts=counts, answers=len(answers))


def embed_answers(answers: Sequence[RecordedAnswer], *, encoder: Encoder) -> AnswerVectors:
    """Embed at most 1,500 answers that say something, every k-th in the order of time.

    Refusals are left out: they are counted by themselves.
    """
    _, day = _days(answers)
    said = [k for k, one in enumerate(answers) if not one.outcome.refused and one.outcome.answer.text.strip()]
    kept = np.array(said[:: -(-len(said) // _MOST_VECTORS) or 1], dtype=np.int64)
    texts = [answers[k].outcome.answer.text for k in kept]
    vectors = encoder.encode(texts) if texts else np.zeros((0, encoder.spec.dimensions))
    return AnswerVectors(
        vectors=vectors.astype(np.float32), day=day[kept], document=recorded_clusters(answers)[kept]
    )


def latencies(answers: Sequence[RecordedAnswer]) -> Float1D:
    """Return the known latencies in milliseconds."""
    values = np.array([one.outcome.answer.latency_ms for one in answers], dtype=np.float64)
    known: Float1D = values[np.isfinite(values)]
    return known


def _days(answers: Sequence[RecordedAnswer]) -> tuple[npt.NDArray[np.datetime64], Int1D]:
    moments = np.array([one.moment.date() for one in answers], dtype="datetime64[D]")
    days, day = np.unique(moments, return_inverse=True)
    return days, day.astype(np.int64)


def _counted(outcome: Outcome, *, slow_ms: float) -> list[tuple[float, float]]:
    spoken = float(not outcome.refused)
    claims = spoken * outcome.coverage.claims
    latency = outcome.answer.latency_ms
    return [
        (float(outcome.refused), float(not outcome.failed)),
        (spoken * (not outcome.valid), spoken),
        (spoken * (outcome.coverage.claims - outcome.coverage.covered), claims),
        (float(latency > slow_ms), float(np.isfinite(latency))),
    ]
