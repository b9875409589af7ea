"""The interface of every measure of whether a model still earns its place."""

from __future__ import annotations

from typing import Protocol

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D
from ordinis_learn.drift.scores import Scores

__all__ = ["PerformanceMetric"]


class PerformanceMetric(Protocol):
    """A decline computed from sums over sessions, so that a block bootstrap is again a sum of rows.

    Improvement is never decay: a rise is 0.
    """

    @property
    def metric(self) -> str:
        """Return the name under which findings are reported."""
        ...

    def by_session(self, scores: Scores, *, session: Int1D, sessions: int) -> Float2D | None:
        """Return each session's sums, shape (T, k); None where the scores lack what it needs."""
        ...

    def influence(self, by_session: Float2D) -> Float1D:
        """Return the series, shape (T,), whose memory is that of the statistic."""
        ...

    def decline(self, reference: Float1D, current: Float2D) -> Float1D:
        """Return by how much n samples of sums, shape (n, k), fell short of the reference's sums; NaN if undefined."""
        ...

    def material(self, reference: Float1D) -> float:
        """Return the decline that matters, > 0, or infinity where the reference gives no scale."""
        ...
