"""CUSUM: the sum of what lies above the record's mean, begun again whenever it is spent."""

from __future__ import annotations

from typing import Final

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D

__all__ = ["Cusum"]

_SUM, _SINCE = 0, 1


class Cusum:
    """S_t = max(0, S_{t−1} + z_t − k).

    Its baseline is the record and stays there: a decline as slow as one likes is found once it lies above k. Where the
    record itself is in doubt, because it is short, see :class:`PageHinkley`, which learns from what follows.

    Parameters
    ----------
    allowance : float
        k, in standard deviations: half of the shift that is to be found quickest.

    References
    ----------
    Page, E. S. (1954), Continuous inspection schemes, Biometrika 41; Lorden, G. (1971), Procedures for reacting to a
    change in distribution (no scheme with as few false alarms is quicker at the worst moment).

    Examples
    --------
    >>> cusum = Cusum(allowance=0.5)
    >>> state = cusum.start(series=1, record_sessions=100)
    >>> for value in (-3.0, 1.0, 2.0):
    ...     state = cusum.step(state, np.array([value]))
    >>> cusum.statistic(state), cusum.shift(state)
    (array([2.]), array([1.5]))
    """

    metric: Final = "loss_cusum"

    def __init__(self, *, allowance: float) -> None:
        self._allowance = allowance

    def start(self, *, series: int, record_sessions: int) -> Float2D:
        """Return zeros: the sum, and the sessions since it last was 0."""
        del record_sessions
        return np.zeros((series, 2))

    def step(self, state: Float2D, values: Float1D) -> Float2D:
        """Return the state after one more value of each series."""
        total = np.maximum(state[:, _SUM] + values - self._allowance, 0.0)
        since = np.where(total > 0.0, state[:, _SINCE] + 1.0, 0.0)
        return np.stack([total, since], axis=1)

    def statistic(self, state: Float2D) -> Float1D:
        """Return S."""
        return state[:, _SUM]

    def shift(self, state: Float2D) -> Float1D:
        """Return the mean of the values since S last was 0; 0 where it is."""
        since = state[:, _SINCE]
        mean = np.divide(state[:, _SUM], since, out=np.zeros(len(state)), where=since > 0)
        return np.where(since > 0, mean + self._allowance, 0.0)
