"""Two return series of the same sessions, reduced to the moments that their Sharpe ratios are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation.metrics import SESSIONS_PER_YEAR

__all__ = ["MIN_SESSIONS", "PairedMoments", "sharpe_difference", "sharpe_gradient"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]

MIN_SESSIONS: Final = 60
"""Below a quarter of sessions no approximation to the distribution of a Sharpe ratio means much."""

_LEAST_VARIATION: Final = 1e-6
"""Of the largest return; below it E r² − (E r)² is mostly rounding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairedMoments:
    """Moments of two paired series: columns r₁, r₂, r₁², r₂²; ``annual`` turns ddof 0 per session into ddof 1 a year."""

    moments: Float2D
    annual: float

    @property
    def difference(self) -> float:
        """Sharpe ratio of the first minus the second, per session, with ddof 0."""
        return float(sharpe_difference(self.moments.mean(axis=0)))

    @classmethod
    def of(cls, subject: Float1D, baseline: Float1D) -> PairedMoments:
        """Check two series of shape (T,) and take their moments; EvalFailed where they cannot be compared."""
        faults = {
            f"{len(subject)} and {len(baseline)} sessions": len(subject) != len(baseline),
            f"{len(subject)} sessions, {MIN_SESSIONS} are the least": len(subject) < MIN_SESSIONS,
            "returns that are not finite": not (np.isfinite(subject).all() and np.isfinite(baseline).all()),
        }
        found = [fault for fault, holds in faults.items() if holds]
        if not found:
            flat = [r.std() <= _LEAST_VARIATION * np.abs(r).max() for r in (subject, baseline)]
            found = ["returns without variation"] if any(flat) else []
        if found:
            raise EvalFailed(
                "compare two Sharpe ratios",
                found="; ".join(found),
                next_step="give both models the same, longer stretch of sessions in which both trade",
            )
        sessions = len(subject)
        return cls(
            moments=np.column_stack([subject, baseline, subject**2, baseline**2]),
            annual=float(np.sqrt(SESSIONS_PER_YEAR * (sessions - 1) / sessions)),
        )


def sharpe_difference(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return SR₁ − SR₂ from moments on the last axis, shape (..., 4); NaN without variation.

    Examples
    --------
    >>> float(sharpe_difference(np.array([0.5, 0.0, 0.5, 1.0])))
    1.0
    """
    variance = np.stack([v[..., 2] - v[..., 0] ** 2, v[..., 3] - v[..., 1] ** 2])
    deviation = np.sqrt(np.where(variance > 0, variance, np.nan))
    ratio: npt.NDArray[np.float64] = v[..., 0] / deviation[0] - v[..., 1] / deviation[1]
    return ratio


def sharpe_gradient(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the gradient of :func:`sharpe_difference` by the moments (Ledoit & Wolf 2008, eq. 3).

    Examples
    --------
    >>> sharpe_gradient(np.array([0.5, 0.0, 0.5, 1.0])).tolist()
    [4.0, -1.0, -2.0, 0.0]
    """
    a, b, c, d = (v[..., k] for k in range(4))
    first = np.where(c > a**2, c - a**2, np.nan) ** 1.5
    second = np.where(d > b**2, d - b**2, np.nan) ** 1.5
    return np.stack([c / first, -d / second, -a / (2 * first), b / (2 * second)], axis=-1)
