"""The interface of every detector that follows a series session by session."""

from __future__ import annotations

from typing import Protocol

from ordinis_learn.drift.binning import Float1D, Float2D

__all__ = ["SequentialDetector"]


class SequentialDetector(Protocol):
    """A statistic that grows while the series lies above where it lay in its record.

    All are one-sided: what falls is an improvement and brings the statistic down to 0, never below. A state is a row of
    numbers, so that one call follows thousands of simulated series (that is how thresholds are found) or the one that
    is real, by the same lines; kept and read again, it goes on as if it had never stopped.

    Values are scores against the record before they come here (:func:`ordinis_learn.drift.run_length.standardised`).
    """

    @property
    def metric(self) -> str:
        """Return the name under which findings are reported."""
        ...

    def start(self, *, series: int, record_sessions: int) -> Float2D:
        """Return the state of so many series before their first value, shape (series, w)."""
        ...

    def step(self, state: Float2D, values: Float1D) -> Float2D:
        """Return the state after one more value of each series, shape (series, w)."""
        ...

    def statistic(self, state: Float2D) -> Float1D:
        """Return what is compared with the threshold, ≥ 0, shape (series,)."""
        ...

    def shift(self, state: Float2D) -> Float1D:
        """Return by how much each series rose since its likely moment of change, in standard deviations of scores; ≥ 0."""
        ...
