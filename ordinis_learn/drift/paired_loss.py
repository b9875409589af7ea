"""What following a model lost against following another, session by session."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D, Int1D
from ordinis_learn.drift.scores import Scores, mean_of, sums_by_session

__all__ = ["paired_loss"]


def paired_loss(
    scores: Scores, *, session: Int1D, sessions: int, baseline: Scores | None = None
) -> Float1D | None:
    """Return each session's mean of (baseline's outcome − model's outcome); positive where the model lost.

    The symbols of a session are one value, since they move together.

    Parameters
    ----------
    scores : Scores
    session : int64 array, shape (n,)
        Of each row, numbered from 0.
    sessions : int
    baseline : Scores, optional
        Another model's, of the same rows: what moved both cancels. Default: to stay flat, which earns nothing.

    Returns
    -------
    float64 array, shape (sessions,), or None
        NaN for a session without a row whose outcome both know; None where the model has no outcomes.

    Examples
    --------
    >>> earned = Scores(prediction=np.ones(3), outcome=np.array([0.01, 0.03, np.nan]))
    >>> paired_loss(earned, session=np.array([0, 0, 1]), sessions=2)
    array([-0.02,   nan])
    """
    if scores.outcome is None or (baseline is not None and baseline.outcome is None):
        return None
    other = np.zeros(len(scores.outcome)) if baseline is None else baseline.outcome
    loss = np.asarray(other) - scores.outcome
    return mean_of(sums_by_session(loss, session=session, sessions=sessions))
