"""Page-Hinkley: has the series risen above the mean of all that was seen of it."""

from __future__ import annotations

from typing import Final

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D

__all__ = ["PageHinkley"]

_COUNT, _MEAN, _SUM, _LEAST, _SINCE = range(5)


class PageHinkley:
    """m_t − min_{s ≤ t} m_s with m_t = Σ_{i ≤ t} (z_i − z̄_i − δ), z̄_i the mean of the record and of all up to i.

    With z̄ fixed at the record's mean this is :class:`Cusum`, number by number. The running mean forgives a record that
    was luckier than its model deserved, and in exchange follows a slow decline, as far as the sessions since the
    record weigh beside those of the record: beside it runs a CUSUM, whose baseline stays.

    Parameters
    ----------
    allowance : float
        δ, in standard deviations.

    References
    ----------
    Page, E. S. (1954), Continuous inspection schemes, Biometrika 41; Hinkley, D. V. (1971), Inference about the
    change-point from cumulative sum tests, Biometrika 58.

    Examples
    --------
    >>> test = PageHinkley(allowance=0.0)
    >>> state = test.start(series=1, record_sessions=1)
    >>> for value in (-1.0, 2.0):
    ...     state = test.step(state, np.array([value]))
    >>> test.statistic(state).round(3)
    array([1.667])
    """

    metric: Final = "loss_page_hinkley"

    def __init__(self, *, allowance: float) -> None:
        self._allowance = allowance

    def start(self, *, series: int, record_sessions: int) -> Float2D:
        """Return the record's weight and mean (0, since values are standardised by it), and three zeros."""
        state = np.zeros((series, 5))
        state[:, _COUNT] = record_sessions
        return state

    def step(self, state: Float2D, values: Float1D) -> Float2D:
        """Return the state after one more value of each series."""
        count = state[:, _COUNT] + 1.0
        mean = state[:, _MEAN] + (values - state[:, _MEAN]) / count
        total = state[:, _SUM] + values - mean - self._allowance
        least = np.minimum(state[:, _LEAST], total)
        since = np.where(total > least, state[:, _SINCE] + 1.0, 0.0)
        return np.stack([count, mean, total, least, since], axis=1)

    def statistic(self, state: Float2D) -> Float1D:
        """Return m − min m."""
        above: Float1D = state[:, _SUM] - state[:, _LEAST]
        return above

    def shift(self, state: Float2D) -> Float1D:
        """Return how far the values since the least m lay above the mean; 0 where m is at its least."""
        since = state[:, _SINCE]
        mean = np.divide(self.statistic(state), since, out=np.zeros(len(state)), where=since > 0)
        return np.where(since > 0, mean + self._allowance, 0.0)
