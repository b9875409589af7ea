"""Decline of the rank information coefficient: does the model still order the symbols."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D
from ordinis_learn.drift.outcome import MeanDecline
from ordinis_learn.drift.scores import Scores, known_rows, mean_of, sums_by_session

__all__ = ["MIN_SYMBOLS", "RankICDecline", "rank_ic_by_session"]

MIN_SYMBOLS = 5
"""With fewer rows a session's rank correlation says next to nothing; the session is left out."""


def rank_ic_by_session(
    prediction: Float1D, forward_return: Float1D, *, session: Int1D, sessions: int
) -> Float1D:
    """Compute Spearman's correlation of forecasts and forward returns across the rows of each session.

    Ties share their mean rank.

    Returns
    -------
    float64 array, shape (sessions,)
        NaN with fewer than :data:`MIN_SYMBOLS` known rows, or where either side is constant.

    References
    ----------
    Grinold, R. C. & Kahn, R. N. (2000), *Active Portfolio Management*, ch. 6; Spearman, C. (1904).

    Examples
    --------
    >>> said, came = np.arange(6.0), np.array([0.0, 1.0, 2.0, 3.0, 5.0, 4.0])
    >>> rank_ic_by_session(said, came, session=np.zeros(6, dtype=int), sessions=1).round(3)
    array([0.943])
    """
    coefficients = np.full(sessions, np.nan)
    known = known_rows(prediction, forward_return)
    order = known[np.argsort(session[known], kind="stable")]
    bounds = np.searchsorted(session[order], np.arange(sessions + 1))
    for number in range(sessions):
        rows = order[bounds[number] : bounds[number + 1]]
        if len(rows) >= MIN_SYMBOLS:
            coefficients[number] = _correlation(rankdata(prediction[rows]), rankdata(forward_return[rows]))
    return coefficients


class RankICDecline(MeanDecline):
    """By how much the mean rank information coefficient has fallen; losing half of it is material."""

    metric = "rank_ic_decline"

    def by_session(self, scores: Scores, *, session: Int1D, sessions: int) -> Float2D | None:
        """Return the coefficient and 1 for each session that has one."""
        if scores.forward_return is None:
            return None
        coefficient = rank_ic_by_session(
            scores.prediction, scores.forward_return, session=session, sessions=sessions
        )
        return sums_by_session(coefficient, session=np.arange(sessions), sessions=sessions)

    def material(self, reference: Float1D) -> float:
        """Return half of the reference's mean; infinity where the model never ordered anything."""
        mean = mean_of(reference[None, :])[0]
        return float(mean / 2.0) if mean > 0 else np.inf


def _correlation(x: Float1D, y: Float1D) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float((x @ y) / scale) if scale > 0 else np.nan
