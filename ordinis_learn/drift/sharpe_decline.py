"""Decline of the Sharpe ratio of following a model."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D
from ordinis_learn.drift.scores import Scores, mean_of, sums_by_session

__all__ = ["SharpeDecline"]

_SESSIONS_PER_YEAR = 252


class SharpeDecline:
    """By how much the annualised Sharpe ratio of the sessions' mean outcomes has fallen.

    A session's return is the mean outcome of its rows over the horizon of the label, so neighbouring sessions overlap
    for horizons above one: the ratio is scaled by √(252 / horizon), and the overlap is left to the block bootstrap.

    Parameters
    ----------
    horizon_sessions : int
        Of the outcome.

    References
    ----------
    Lo, A. W. (2002), The statistics of Sharpe ratios, Financial Analysts Journal 58 (4).

    Examples
    --------
    >>> sums = np.array([[0.0, 1.0, 100.0], [1.0, 1.0, 100.0]])  # Σr, Σr², sessions
    >>> SharpeDecline(horizon_sessions=1).decline(sums[1], sums).round(2)
    array([1.59, 0.  ])
    """

    metric = "sharpe_decline"

    def __init__(self, *, horizon_sessions: int) -> None:
        self._annual = np.sqrt(_SESSIONS_PER_YEAR / horizon_sessions)

    def by_session(self, scores: Scores, *, session: Int1D, sessions: int) -> Float2D | None:
        """Return Σr, Σr² and 1 for each session with a known outcome."""
        if scores.outcome is None:
            return None
        mean = mean_of(sums_by_session(scores.outcome, session=session, sessions=sessions))
        known = np.isfinite(mean)
        mean = np.where(known, mean, 0.0)
        return np.stack([mean, mean**2, known], axis=1).astype(np.float64)

    def influence(self, by_session: Float2D) -> Float1D:
        """Return the sessions' centred returns."""
        mean = by_session[:, 0].sum() / max(by_session[:, 2].sum(), 1.0)
        centred: Float1D = by_session[:, 0] - by_session[:, 2] * mean
        return centred

    def decline(self, reference: Float1D, current: Float2D) -> Float1D:
        """Return the annualised decline; NaN with fewer than two sessions or where nothing varies."""
        decline: Float1D = np.maximum(self._sharpe(reference[None, :])[0] - self._sharpe(current), 0.0)
        return decline

    def material(self, reference: Float1D) -> float:
        """Return half of the reference's ratio; infinity where it earned nothing that could be lost."""
        sharpe = self._sharpe(reference[None, :])[0]
        return float(sharpe / 2.0) if sharpe > 0 else np.inf

    def _sharpe(self, sums: Float2D) -> Float1D:
        count = sums[:, 2]
        mean = np.divide(sums[:, 0], count, out=np.full(len(sums), np.nan), where=count > 1)
        variance = np.divide(
            sums[:, 1] - count * mean**2, count - 1, out=np.full(len(sums), np.nan), where=count > 1
        )
        noise = 1e-12 * sums[:, 1] / np.maximum(count, 1.0)  # what is left of a constant series by rounding
        varied = variance > noise
        deviation = np.sqrt(np.where(varied, variance, 1.0))
        return np.where(varied, self._annual * mean / deviation, np.nan)
