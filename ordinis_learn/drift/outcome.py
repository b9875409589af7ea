"""Decline of what the signals earned; earning more is not drift."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D
from ordinis_learn.drift.scores import Scores, mean_of, sums_by_session

__all__ = ["MeanDecline"]


class MeanDecline:
    """By how much the mean outcome per row has fallen; losing half of it is material.

    Examples
    --------
    >>> MeanDecline().decline(
    ...     np.array([1.0, 100.0]), np.array([[0.5, 100.0], [3.0, 100.0], [0.0, 0.0]])
    ... ).round(6)
    array([0.005, 0.   ,   nan])
    """

    metric = "mean_decline"

    def by_session(self, scores: Scores, *, session: Int1D, sessions: int) -> Float2D | None:
        """Return the sum and the number of known outcomes of each session."""
        if scores.outcome is None:
            return None
        return sums_by_session(scores.outcome, session=session, sessions=sessions)

    def influence(self, by_session: Float2D) -> Float1D:
        """Return each session's sum of centred outcomes."""
        total, count = by_session.sum(axis=0)
        centred: Float1D = by_session[:, 0] - by_session[:, 1] * (total / max(count, 1.0))
        return centred

    def decline(self, reference: Float1D, current: Float2D) -> Float1D:
        """Return the decline in the unit of the outcomes; NaN where no outcome is known."""
        decline: Float1D = np.maximum(mean_of(reference[None, :])[0] - mean_of(current), 0.0)
        return decline

    def material(self, reference: Float1D) -> float:
        """Return half of the reference's mean."""
        mean = mean_of(reference[None, :])[0]
        return float(abs(mean) / 2.0) if mean else np.inf
