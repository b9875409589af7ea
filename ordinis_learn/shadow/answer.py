"""What one model said about n rows, row by row, failures included."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

import numpy as np
import numpy.typing as npt

__all__ = ["Answer", "Outcome"]

Float1D = npt.NDArray[np.float64]


class Outcome(StrEnum):
    """What became of one row at one model."""

    SCORED = "scored"
    NAN = "nan"
    """An answer without a direction or a confidence."""
    MISSING = "missing"
    """Not asked: a feature that the model reads was not in the event."""
    ERROR = "error"
    """It raised, died, or said what is no prediction."""
    TIMEOUT = "timeout"
    """It did not answer in time, or was not asked any more after it had not several times."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What came back from one call about n rows.

    Attributes
    ----------
    direction, confidence, expected_return : float64 arrays, shape (n,)
        NaN where there is no usable answer; ``expected_return`` also where the model forecasts no size.
    outcome : tuple of Outcome, length n
    latency_us : float
        Of the call, by a clock that only grows; NaN where the model was not called.
    error : str
        What the model said of its failure; empty without one.
    """

    direction: Float1D
    confidence: Float1D
    expected_return: Float1D
    outcome: tuple[Outcome, ...]
    latency_us: float
    error: str = ""

    @classmethod
    def failed(cls, rows: int, outcome: Outcome, *, error: str, latency_us: float = np.nan) -> Self:
        """Return the answer of a model that gave none."""
        nothing = np.full(rows, np.nan)
        return cls(
            direction=nothing,
            confidence=nothing,
            expected_return=nothing,
            outcome=(outcome,) * rows,
            latency_us=latency_us,
            error=error,
        )

    @classmethod
    def read(cls, said: npt.NDArray[np.float64], *, latency_us: float) -> Self:
        """Judge what a model said, shape (3, n): directions −1, 0, 1, confidences 0 to 1.

        Examples
        --------
        >>> said = np.array([[1.0, 2.0, np.nan], [0.5, 0.5, 0.5], [0.01, 0.0, 0.0]])
        >>> [outcome.value for outcome in Answer.read(said, latency_us=80.0).outcome]
        ['scored', 'error', 'nan']
        """
        direction, confidence, expected = said
        if said.shape[1] == 1 and _fits_alone(*said[:, 0].tolist()):
            # A live event is one row, and a dozen array operations cost as much as a fifth of its answer.
            return cls(
                direction=direction,
                confidence=confidence,
                expected_return=expected,
                outcome=_ONE_SCORED,
                latency_us=latency_us,
            )
        known = np.isfinite(direction) & np.isfinite(confidence)
        fits = (np.abs(direction) == 1.0) | (direction == 0.0)
        fits &= (confidence >= 0.0) & (confidence <= 1.0)
        usable = known & fits
        if usable.all():
            return cls(
                direction=direction,
                confidence=confidence,
                expected_return=np.where(np.isfinite(expected), expected, np.nan),
                outcome=(Outcome.SCORED,) * len(direction),
                latency_us=latency_us,
            )
        empty = np.isnan(direction) | np.isnan(confidence)
        outcome = np.where(usable, Outcome.SCORED, np.where(empty, Outcome.NAN, Outcome.ERROR))
        wrong = "a direction is not -1, 0 or 1, or a confidence lies outside 0 to 1"
        return cls(
            direction=np.where(usable, direction, np.nan),
            confidence=np.where(usable, confidence, np.nan),
            expected_return=np.where(usable & np.isfinite(expected), expected, np.nan),
            outcome=tuple(Outcome(value) for value in outcome),
            latency_us=latency_us,
            error="" if (usable | empty).all() else wrong,
        )


_ONE_SCORED: Final = (Outcome.SCORED,)


def _fits_alone(direction: float, confidence: float, expected: float) -> bool:
    return direction in {-1.0, 0.0, 1.0} and 0.0 <= confidence <= 1.0 and abs(expected) != math.inf
