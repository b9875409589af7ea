"""Decline of what the signals earned; earning more is not drift."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D

__all__ = ["outcome_by_session", "outcome_decline"]


def outcome_by_session(outcome: Float1D, *, session: Int1D, sessions: int) -> Float2D:
    """Return per session the sum and the number of known outcomes, shape (sessions, 2)."""
    known = np.isfinite(outcome)
    total = np.bincount(session[known], weights=outcome[known], minlength=sessions)
    return np.stack([total, np.bincount(session[known], minlength=sessions)], axis=1)


def outcome_decline(reference: Float1D, current: Float2D) -> Float1D:
    """Return by how much the mean outcome has fallen below the reference's; a rise is 0.

    Parameters
    ----------
    reference : float64 array, shape (2,)
        Sum and number of outcomes (fractions of the position's value).
    current : float64 array, shape (n, 2)

    Returns
    -------
    float64 array, shape (n,)
        In the unit of the outcomes; 0 where a sample has no known outcome.

    Examples
    --------
    >>> outcome_decline(np.array([1.0, 100.0]), np.array([[0.5, 100.0], [3.0, 100.0]])).round(6)
    array([0.005, 0.   ])
    """
    count = current[:, 1]
    mean = np.divide(current[:, 0], count, out=np.full(len(current), np.inf), where=count > 0)
    decline: Float1D = np.maximum(reference[0] / reference[1] - mean, 0.0)
    return decline
