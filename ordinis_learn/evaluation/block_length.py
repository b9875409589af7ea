"""The block length by which the bootstrap of a Sharpe difference keeps its level on data like these.

Source: Ledoit & Wolf (2008), *Robust performance hypothesis testing with the Sharpe ratio*, Journal of Empirical
Finance 15(5), algorithm 3.1: fit a VAR(1) to the pair, draw pseudo-sequences from it with residuals from the
stationary bootstrap (Politis & Romano 1994, blocks of 5 on average), and take the block length whose interval
covers the difference as often as it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation.paired_moments import PairedMoments
from ordinis_learn.evaluation.studentised import bootstrap_statistics, critical_values, hac_standard_error

__all__ = ["BlockCalibration", "calibrated_block_length", "pseudo_sequences"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]
Float3D = npt.NDArray[np.float64]

_RESIDUAL_BLOCK: Final = 5
_WARM_UP: Final = 50
_STATIONARY: Final = 0.97
_LENGTHS: Final = (3, 6, 10, 15, 25)
"""The paper's for monthly returns are 1, 3, 6, 10, 15. Daily squares are never independent, so 1 makes room for 25."""


@dataclass(frozen=True, kw_only=True)
class BlockCalibration:
    """The chosen length, and how often the interval of each length covered the true difference."""

    block_length: int
    level: float
    coverage: Mapping[int, float]


def calibrated_block_length(
    subject: Float1D,
    baseline: Float1D,
    *,
    seed: int,
    alpha: float = 0.05,
    sequences: int = 100,
    draws: int = 199,
    lengths: Sequence[int] = _LENGTHS,
) -> BlockCalibration:
    """Choose the block length for :func:`ordinis_learn.evaluation.compare_sharpe` from the data.

    Every length is tried on the same pseudo-sequences, so their coverages are comparable though each is known
    only to ±√(level·(1 − level) / sequences). Of lengths equally close to the level the shortest is taken.

    Parameters
    ----------
    subject, baseline : arrays, shape (T,)
        Finite returns of the same sessions, in order; at least 60.
    alpha : float
        Of one side: the interval's level is 1 − 2·alpha, as in the test.
    sequences : int
        Pseudo-sequences; the paper takes 5,000.
    lengths : sequence of int
        Those over a quarter of the sessions are not tried.

    Raises
    ------
    EvalFailed
        The pair cannot be compared, or no length fits.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(0.0003, 0.01, 300)
    >>> found = calibrated_block_length(market + rng.normal(0, 0.004, 300), market, seed=1, sequences=20)
    >>> found.block_length in found.coverage, found.level
    (True, 0.9)
    """
    pair = PairedMoments.of(subject, baseline)
    fitting = sorted({length for length in lengths if 1 <= length <= len(subject) // 4})
    if not fitting or sequences < 1:
        raise EvalFailed(
            "choose a block length by calibration",
            found=f"{sequences} sequences, and none of {list(lengths)} in 1..{len(subject) // 4}",
            next_step="offer lengths up to a quarter of the sessions, and at least one sequence",
        )
    rng = np.random.default_rng(seed)
    covered = np.zeros(len(fitting))
    simulated = pseudo_sequences(np.column_stack([subject, baseline]), sequences=sequences, rng=rng)
    for one in simulated:
        covered += _covers(one, truth=pair.difference, lengths=fitting, alpha=alpha, draws=draws, rng=rng)
    level = 1.0 - 2.0 * alpha
    coverage = dict(zip(fitting, (covered / sequences).tolist(), strict=True))
    best = min(fitting, key=lambda length: (round(abs(coverage[length] - level), 12), length))
    return BlockCalibration(block_length=best, level=level, coverage=coverage)


def pseudo_sequences(returns: Float2D, *, sequences: int, rng: np.random.Generator) -> Float3D:
    """Draw sequences from a VAR(1) fitted to returns, with residuals by the stationary bootstrap.

    Parameters
    ----------
    returns : array, shape (T, K)
        Finite.

    Returns
    -------
    array, shape (sequences, T, K)
        Sequences start 50 periods before their first row, from the mean.
    """
    mean = returns.mean(axis=0)
    centred = returns - mean
    transition = np.linalg.lstsq(centred[:-1], centred[1:], rcond=None)[0].T
    largest = float(np.abs(np.linalg.eigvals(transition)).max())
    transition = transition * min(1.0, _STATIONARY / largest) if largest > 0 else transition
    residual = centred[1:] - centred[:-1] @ transition.T
    residual = residual - residual.mean(axis=0)
    periods = len(returns) + _WARM_UP
    rows = _stationary_rows(len(residual), periods=periods, sequences=sequences, rng=rng)
    drawn = np.empty((periods, sequences, returns.shape[1]))
    state = np.zeros((sequences, returns.shape[1]))
    for period in range(periods):
        state = state @ transition.T + residual[rows[period]]
        drawn[period] = state
    simulated: Float3D = drawn[_WARM_UP:].transpose(1, 0, 2) + mean
    return simulated


def _stationary_rows(
    count: int, *, periods: int, sequences: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return rows to take, shape (periods, sequences): runs of geometric length that wrap around."""
    fresh = rng.integers(0, count, size=(periods, sequences))
    starts = rng.random((periods, sequences)) < 1.0 / _RESIDUAL_BLOCK
    starts[0] = True
    begun = np.maximum.accumulate(np.where(starts, np.arange(periods)[:, None], 0), axis=0)
    run = np.arange(periods)[:, None] - begun
    rows: npt.NDArray[np.int64] = (np.take_along_axis(fresh, begun, axis=0) + run) % count
    return rows


def _covers(
    returns: Float2D,
    *,
    truth: float,
    lengths: Sequence[int],
    alpha: float,
    draws: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    """Return for each length whether one sequence's interval holds the true difference."""
    pair = PairedMoments.of(returns[:, 0], returns[:, 1])
    se = hac_standard_error(pair)
    holds = []
    for length in lengths:
        statistics = bootstrap_statistics(pair, block_length=length, draws=draws, rng=rng)
        lower, upper = critical_values(statistics, alpha=alpha)
        holds.append(pair.difference - upper * se <= truth <= pair.difference - lower * se)
    return np.array(holds)
