"""Rise of the calibration error: does a confidence of 0.7 still mean right in 70 of 100."""

from __future__ import annotations

from typing import Final

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D
from ordinis_learn.drift.scores import Scores, known_rows

__all__ = ["CalibrationError", "expected_calibration_error"]

_BINS: Final = 10
_MATERIAL: Final = 0.1


def expected_calibration_error(sums: Float2D) -> Float1D:
    """Compute Σ_b (n_b / n) |hits_b / n_b − mean confidence_b| over ten bins of confidence of equal width.

    Parameters
    ----------
    sums : float64 array, shape (n, 20)
        For each bin Σ (hit − confidence), then for each bin the rows.

    Returns
    -------
    float64 array, shape (n,)
        In [0, 1]; NaN where there is no row. Positively biased in small samples: compare it with a null.

    References
    ----------
    Naeini, M. P., Cooper, G. F. & Hauskrecht, M. (2015), Obtaining well calibrated probabilities using Bayesian binning.

    Examples
    --------
    >>> sums = np.zeros((1, 20))
    >>> sums[0, 7], sums[0, 17] = -20.0, 100.0  # 100 rows said 0.7, 50 were right
    >>> expected_calibration_error(sums)
    array([0.2])
    """
    rows = sums[:, _BINS:].sum(axis=1)
    gap = np.abs(sums[:, :_BINS]).sum(axis=1)
    error: Float1D = np.divide(gap, rows, out=np.full(len(sums), np.nan), where=rows > 0)
    return error


class CalibrationError:
    """By how much the expected calibration error has risen; a tenth is material."""

    metric = "calibration_error"

    def by_session(self, scores: Scores, *, session: Int1D, sessions: int) -> Float2D | None:
        """Return each session's Σ (hit − confidence) and rows, by bin of confidence; flat rows are left out."""
        if scores.confidence is None or scores.outcome is None:
            return None
        known = known_rows(scores.confidence, scores.outcome)
        known = known[scores.prediction[known] != 0]
        confidence = scores.confidence[known]
        bin_ = np.clip((confidence * _BINS).astype(np.int64), 0, _BINS - 1)
        cell = session[known] * _BINS + bin_
        missed = (scores.outcome[known] > 0) - confidence
        shape = (sessions, _BINS)
        gap = np.bincount(cell, weights=missed, minlength=sessions * _BINS).reshape(shape)
        rows = np.bincount(cell, minlength=sessions * _BINS).reshape(shape)
        return np.concatenate([gap, rows], axis=1)

    def influence(self, by_session: Float2D) -> Float1D:
        """Return the sessions' centred Σ (hit − confidence)."""
        gap, rows = by_session[:, :_BINS].sum(axis=1), by_session[:, _BINS:].sum(axis=1)
        centred: Float1D = gap - rows * (gap.sum() / max(rows.sum(), 1.0))
        return centred

    def decline(self, reference: Float1D, current: Float2D) -> Float1D:
        """Return the rise of the error."""
        before = expected_calibration_error(reference[None, :])[0]
        rise: Float1D = np.maximum(expected_calibration_error(current) - before, 0.0)
        return rise

    def material(self, reference: Float1D) -> float:
        """Return a tenth, whatever the reference."""
        del reference
        return _MATERIAL
