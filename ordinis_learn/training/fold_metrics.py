"""How well forecasts did on rows that were not trained on.

These guide the choice between trials; they are no evidence for the gate, which reads scorecards only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["fold_metrics", "hit_rate", "position_sharpe", "rank_ic", "rmse"]

Float1D = npt.NDArray[np.float64]


def fold_metrics(
    *,
    forecast: Float1D,
    position: Float1D,
    outcome: Float1D,
    session_return: Float1D,
    session: npt.NDArray[Any],
) -> dict[str, float]:
    """Return every metric of this module by name; all arrays have shape (n,)."""
    return {
        "rmse": rmse(forecast, outcome=outcome),
        "rank_ic": rank_ic(forecast, outcome=outcome, session=session),
        "hit_rate": hit_rate(forecast, outcome=outcome),
        "sharpe_per_session": position_sharpe(position, session_return=session_return, session=session),
    }


def rmse(forecast: Float1D, *, outcome: Float1D) -> float:
    """Compute the root mean squared error; NaN for no rows.

    Examples
    --------
    >>> rmse(np.array([0.0, 0.0]), outcome=np.array([0.03, -0.04])).__round__(4)
    0.0354
    """
    return float(np.sqrt(np.mean((forecast - outcome) ** 2))) if len(forecast) else float("nan")


def hit_rate(forecast: Float1D, *, outcome: Float1D) -> float:
    """Compute the share of rows whose sign was right, among outcomes that moved; NaN when none did.

    Examples
    --------
    >>> hit_rate(np.array([0.1, -0.1, 0.1]), outcome=np.array([0.02, 0.01, 0.0]))
    0.5
    """
    moved = outcome != 0.0
    return (
        float(np.mean(np.sign(forecast[moved]) == np.sign(outcome[moved]))) if moved.any() else float("nan")
    )


def rank_ic(forecast: Float1D, *, outcome: Float1D, session: npt.NDArray[Any]) -> float:
    """Compute the mean over sessions of Spearman's correlation between forecast and outcome.

    Ties share their mean rank. A session counts when it has at least three rows and neither side is
    constant; NaN when no session counts. Source: Grinold & Kahn, Active Portfolio Management (2nd ed.), ch. 6,
    with ranks in place of values.

    Examples
    --------
    >>> outcome = np.array([0.01, 0.02, 0.03, 0.03, 0.02, 0.01])
    >>> rank_ic(np.arange(6.0), outcome=outcome, session=np.array([1, 1, 1, 2, 2, 2]))
    0.0
    """
    _, group, size = np.unique(session, return_inverse=True, return_counts=True)
    ours = _centred_ranks(forecast, group=group, size=size)
    theirs = _centred_ranks(outcome, group=group, size=size)
    covariance = np.bincount(group, ours * theirs, len(size))
    spread = np.sqrt(np.bincount(group, ours**2, len(size)) * np.bincount(group, theirs**2, len(size)))
    counts = (size >= 3) & (spread > 0.0)
    return float(np.mean(covariance[counts] / spread[counts])) if counts.any() else float("nan")


def position_sharpe(position: Float1D, *, session_return: Float1D, session: npt.NDArray[Any]) -> float:
    """Compute the Sharpe ratio *per session* of holding each row's position for one session.

    Rows of a session have equal weight, flat ones included. ``session_return`` is each row's return over the
    one session after entry, so that nothing overlaps; a row without it is left out. Not annualised, free of
    costs, rf 0, ddof 1: the unit in which the deflated Sharpe ratio wants the variance across trials (Bailey &
    López de Prado 2014). NaN for fewer than two sessions or no variation, as when always flat.

    Examples
    --------
    >>> position_sharpe(np.ones(3), session_return=np.array([0.01, 0.02, 0.03]), session=np.arange(3))
    2.0
    """
    known = np.isfinite(session_return)
    _, group = np.unique(session[known], return_inverse=True)
    if not len(group):
        return float("nan")
    earned = np.bincount(group, position[known] * session_return[known]) / np.bincount(group)
    spread = earned.std(ddof=1) if len(earned) > 1 else 0.0
    return float(earned.mean() / spread) if spread > 0.0 else float("nan")


def _centred_ranks(values: Float1D, *, group: npt.NDArray[np.intp], size: npt.NDArray[np.intp]) -> Float1D:
    """Rank within groups, ties at their mean, less the group's mean rank; shape (n,)."""
    order = np.lexsort((values, group))
    starts = np.concatenate(([True], (np.diff(group[order]) != 0) | (np.diff(values[order]) != 0)))[
        : len(order)
    ]
    run = np.cumsum(starts) - 1
    position = np.bincount(run, np.arange(len(order), dtype=np.float64)) / np.bincount(run)
    first = np.cumsum(size) - size
    ranks = np.empty(len(order))
    ranks[order] = position[run]
    return ranks - first[group] - (size[group] - 1) / 2.0
