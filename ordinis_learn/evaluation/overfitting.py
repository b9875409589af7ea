"""How likely it is that the best of several candidates in sample is no better than the median out of sample.

Combinatorially symmetric cross-validation: Bailey, Borwein, López de Prado & Zhu (2017), *The Probability of
Backtest Overfitting*, Journal of Computational Finance 20(4). Nothing in it is random.

It is about the *procedure* that picks the best candidate, not about the candidate picked; for that one see
:func:`ordinis_learn.evaluation.deflated_sharpe`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import EvalFailed

__all__ = ["Overfitting", "probability_of_overfitting"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]

_CELLS_AT_ONCE: Final = 2_000_000
_LEAST_VARIATION: Final = 1e-6
"""Of the largest return; below it a variance from sums of squares is mostly rounding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Overfitting:
    """What happened to the in-sample winner of each split.

    Attributes
    ----------
    probability : float
        Share of splits whose winner ranks at or below the median out of sample (logit ≤ 0); in [0, 1].
    logits : float64 array, shape (C(S, S/2),)
        ln(ω / (1 − ω)) with ω the winner's out-of-sample rank over N + 1; ties take their mean rank.
    loss_probability : float
        Share of splits whose winner has a negative Sharpe ratio out of sample.
    degradation : float
        Slope of out-of-sample on in-sample Sharpe ratio of the winners, over splits; NaN where the
        in-sample ratios do not vary.
    """

    probability: float
    logits: Float1D
    loss_probability: float
    degradation: float


def probability_of_overfitting(returns: Float2D, *, blocks: int = 16) -> Overfitting:
    """Judge a choice among candidates by the Sharpe ratio.

    Parameters
    ----------
    returns : array, shape (T, N)
        Finite returns of N candidates over the same T sessions, in order. The first T mod ``blocks`` sessions
        are left out, so that blocks are of one length.
    blocks : int
        S, even: every choice of S/2 blocks is in sample once. 16 give 12,870 splits.

    Raises
    ------
    EvalFailed
        Fewer than two candidates, an odd or too large number of blocks, fewer than two sessions a block, a
        non-finite return, or a candidate without variation in some half.

    Examples
    --------
    Worthless candidates: the best in sample is as good as any out of sample.

    >>> rng = np.random.default_rng(0)
    >>> worthless = rng.normal(0.0, 0.01, (1000, 20))
    >>> 0.3 < probability_of_overfitting(worthless, blocks=10).probability < 0.7
    True
    >>> better = worthless + np.where(np.arange(20) == 7, 0.003, 0.0)
    >>> probability_of_overfitting(better, blocks=10).probability
    0.0
    """
    _check(returns, blocks=blocks)
    length = len(returns) // blocks
    parts = returns[len(returns) - blocks * length :].reshape(blocks, length, -1)
    # Sharpe ratios do not depend on scale, and sums of squares are exact enough only near unit scale.
    parts = parts / np.abs(parts).max(axis=(0, 1))
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    periods = blocks // 2 * length
    winners = [
        _winners(chosen, sums=sums, squares=squares, periods=periods)
        for chosen in _halves(blocks, candidates=returns.shape[1])
    ]
    inside, outside, rank = (np.concatenate(column) for column in zip(*winners, strict=True))
    share = rank / (returns.shape[1] + 1.0)
    logits = np.log(share / (1.0 - share))
    return Overfitting(
        probability=float(np.mean(logits <= 0.0)),
        logits=logits,
        loss_probability=float(np.mean(outside < 0.0)),
        degradation=_slope(inside, outside),
    )


def _halves(blocks: int, *, candidates: int) -> Iterator[Float2D]:
    """Yield choices of half the blocks as rows of 0 and 1, as many at once as memory should hold."""
    at_once = max(1, _CELLS_AT_ONCE // candidates)
    chosen = np.zeros((comb(blocks, blocks // 2), blocks))
    picks = np.array(list(combinations(range(blocks), blocks // 2)))
    np.put_along_axis(chosen, picks, 1.0, axis=1)
    for first in range(0, len(chosen), at_once):
        yield chosen[first : first + at_once]


def _winners(
    chosen: Float2D, *, sums: Float2D, squares: Float2D, periods: int
) -> tuple[Float1D, Float1D, Float1D]:
    """Return in-sample ratio, out-of-sample ratio and out-of-sample rank of each split's winner."""
    inside = _sharpe(chosen @ sums, chosen @ squares, periods=periods)
    outside = _sharpe((1.0 - chosen) @ sums, (1.0 - chosen) @ squares, periods=periods)
    winner = inside.argmax(axis=1)[:, None]
    own = np.take_along_axis(outside, winner, axis=1)
    below = np.count_nonzero(outside < own, axis=1)
    ties = np.count_nonzero(outside == own, axis=1)
    rank = below + (ties + 1) / 2.0
    return np.take_along_axis(inside, winner, axis=1)[:, 0], own[:, 0], rank


def _sharpe(total: Float2D, total_squares: Float2D, *, periods: int) -> Float2D:
    mean = total / periods
    variance = (total_squares - periods * mean**2) / (periods - 1)
    if not (variance > _LEAST_VARIATION**2).all():
        raise EvalFailed(
            "estimate the probability of backtest overfitting",
            found="a candidate whose returns do not vary in some half of the sessions",
            next_step="leave out candidates that hardly trade, or use fewer blocks",
        )
    ratio: Float2D = mean / np.sqrt(variance)
    return ratio


def _slope(inside: Float1D, outside: Float1D) -> float:
    centred = inside - inside.mean()
    power = float(centred @ centred)
    return float(centred @ outside) / power if power > 0 else np.nan


def _check(returns: Float2D, *, blocks: int) -> None:
    sessions, candidates = returns.shape if returns.ndim == 2 else (len(returns), 1)
    faults = {
        f"{candidates} candidate: nothing was chosen": candidates < 2,
        f"{blocks} blocks, where an even number of 2 to 20 is needed": blocks % 2 != 0
        or not 2 <= blocks <= 20,
        f"{sessions} sessions for {blocks} blocks": sessions < 2 * blocks,
        "a return that is not a finite number": not bool(np.isfinite(returns).all()),
    }
    found = [fault for fault, holds in faults.items() if holds]
    if found:
        raise EvalFailed(
            "estimate the probability of backtest overfitting",
            found="; ".join(found),
            next_step="pass finite returns of shape (sessions, candidates), two or more sessions per block",
        )
