"""The studentised difference of two Sharpe ratios: its standard error and its bootstrap distribution.

Source: Ledoit & Wolf (2008), *Robust performance hypothesis testing with the Sharpe ratio*, Journal of Empirical
Finance 15(5), sections 3.1 and 3.2.2. Everything here is per session; :mod:`ordinis_learn.evaluation.sharpe_tests`
turns it into answers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.evaluation.long_run_variance import long_run_covariance
from ordinis_learn.evaluation.paired_moments import PairedMoments, sharpe_difference, sharpe_gradient

__all__ = ["bootstrap_statistics", "critical_values", "hac_standard_error"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]

_CELLS_AT_ONCE: Final = 1_000_000


def critical_values(statistics: Float1D, *, alpha: float) -> tuple[float, float]:
    """Return the lower and the upper critical value of drawn statistics, each one-sided at ``alpha``.

    An undefined draw (a block sample without variation) lies beyond both.

    Examples
    --------
    >>> critical_values(np.arange(-9.0, 10.0), alpha=0.1)
    (-8.0, 8.0)
    """
    draws = len(statistics)
    rank = min(int(np.ceil((1.0 - alpha) * (draws + 1))), draws)
    lower_tail = np.sort(np.where(np.isnan(statistics), -np.inf, statistics))
    upper_tail = np.sort(np.where(np.isnan(statistics), np.inf, statistics))
    return float(lower_tail[draws - rank]), float(upper_tail[rank - 1])


def hac_standard_error(pair: PairedMoments) -> float:
    """Return the standard error of the difference by the prewhitened Parzen estimator (section 3.1)."""
    gradient = sharpe_gradient(pair.moments.mean(axis=0))
    # Unlike the authors' code, each moment is scaled to unit variance first: returns are a hundred times
    # their squares, and neither the clipped prewhitening nor the bandwidth should depend on their unit.
    scale = pair.moments.std(axis=0)
    covariance = long_run_covariance(pair.moments / scale)
    weights = gradient * scale
    return float(np.sqrt(max(weights @ covariance @ weights, 0.0) / len(pair.moments)))


def bootstrap_statistics(
    pair: PairedMoments, *, block_length: int, draws: int, rng: np.random.Generator
) -> Float1D:
    """Return (Δ* − Δ)/se* of every draw, shape (draws,); blocks are summed once and then only picked."""
    sessions = len(pair.moments)
    blocks = sessions // block_length
    sums = _circular_block_sums(pair.moments, block_length=block_length)
    observed = pair.difference
    at_once = max(1, _CELLS_AT_ONCE // blocks)
    parts = []
    for first in range(0, draws, at_once):
        picked = sums[rng.integers(0, sessions, size=(min(at_once, draws - first), blocks))]
        means = picked.mean(axis=1) / block_length
        deviations = picked - block_length * means[:, None, :]
        zeta = np.einsum("dbk,dk->db", deviations, sharpe_gradient(means)) / np.sqrt(block_length)
        variance = (zeta**2).mean(axis=1) / (blocks * block_length)
        se = np.sqrt(np.where(variance > 0, variance, np.nan))
        parts.append((sharpe_difference(means) - observed) / se)
    return np.concatenate(parts)


def _circular_block_sums(moments: Float2D, *, block_length: int) -> Float2D:
    wrapped = np.concatenate([moments, moments[: block_length - 1]])
    windows = np.lib.stride_tricks.sliding_window_view(wrapped, block_length, axis=0)
    sums: Float2D = windows.sum(axis=-1)
    return sums
