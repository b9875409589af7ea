"""What a distance looks like when nothing has changed, at this size and with this memory.

The reference is resampled in blocks of consecutive sessions, all symbols together, because rows of one
session share their market and rows of neighbouring sessions share their history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ordinis_learn.drift.autocorrelation import autocovariances, mean_variance
from ordinis_learn.drift.binning import Float1D, Float2D

__all__ = ["BlockPlan", "draw_blocks", "halved", "influence_series", "plan_blocks", "thin"]


@dataclass(frozen=True, kw_only=True)
class BlockPlan:
    """How to draw one null sample: ``drawn_sessions`` in blocks of ``block_sessions``."""

    block_sessions: int
    drawn_sessions: int


def influence_series(by_session: Float2D) -> tuple[Float1D, Float1D, Float1D]:
    """Return what each session adds to the location, the spread and the missing rate of the sample.

    Location is the sum of the session's centred ranks, spread the sum of their centred distances from the middle, so
    that the memory of a distribution is seen even where only its width remembers: returns have no
    autocorrelation, their volatility clusters. Rows of one bin share its middle rank. Missing rows add to the last only.

    Parameters
    ----------
    by_session : float64 array, shape (T, B + 1)
        Rows per session and bin, the missing last.

    Returns
    -------
    three float64 arrays, each of shape (T,)
    """
    rows = by_session[:, :-1].sum(axis=0)
    known = max(float(rows.sum()), 1.0)
    ranks = (np.cumsum(rows) - rows / 2.0) / known - 0.5
    distance = np.abs(ranks)
    spread = distance - (distance @ rows) / known
    return by_session[:, :-1] @ ranks, by_session[:, :-1] @ spread, by_session[:, -1]


def plan_blocks(*series: Float1D, current_sessions: int) -> BlockPlan:
    """Choose the block length and how many sessions to draw, for the series that remembers longest.

    The block length is the memory itself, T·V(T)/γ₀ with V the variance of a mean (1 for white noise,
    (1+φ)/(1−φ) for AR(1)). Three things make a plain block bootstrap too narrow: the ends of blocks do not remember
    each other, the reference's own mean is removed, and the reference is itself a sample. The
    missing variance is known from the autocovariances: to have V(m) + V(T) the null draws
    m / κ sessions instead of m, κ = (V(m) + V(T)) / ((L / m)(V(L) − V(T))).

    With less than about ten memories in the reference its spread cannot be known; false alarms rise then to
    about twice the stated level.

    Parameters
    ----------
    *series : float64 arrays, shape (T,)
        Per-session influences of the reference; constant ones are ignored.
    current_sessions : int
        Sessions m of the window to be judged.

    References
    ----------
    Künsch, H. R. (1989), The jackknife and the bootstrap for general stationary observations;
    Politis & Romano (1992), A circular block-resampling procedure.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(1000)
    >>> plan_blocks(noise, current_sessions=250)
    BlockPlan(block_sessions=1, drawn_sessions=200)
    """
    plans = [_plan(one, current_sessions=current_sessions) for one in series if np.ptp(one) > 0]
    if not plans:
        return BlockPlan(block_sessions=1, drawn_sessions=current_sessions)
    return max(plans, key=lambda plan: (plan.block_sessions, -plan.drawn_sessions))


def draw_blocks(by_session: Float2D, plan: BlockPlan, *, draws: int, seed: int) -> Float2D:
    """Draw null samples: sums of blocks of rows, blocks wrapping round the end.

    Parameters
    ----------
    by_session : float64 array, shape (T, B)
        Counts (or sums) per session.

    Returns
    -------
    float64 array, shape (draws, B)

    Examples
    --------
    >>> plan = BlockPlan(block_sessions=2, drawn_sessions=4)
    >>> draw_blocks(np.ones((10, 1)), plan, draws=3, seed=0).ravel()
    array([4., 4., 4.])
    """
    whole, rest = divmod(plan.drawn_sessions, plan.block_sessions)
    starts = np.random.default_rng(seed).integers(0, len(by_session), size=(whole + 1, draws))
    block = _block_sums(by_session, length=plan.block_sessions)
    total = np.zeros((draws, by_session.shape[1]))
    for nth in range(whole):  # few and long where memory is long; one array of all blocks would not fit
        total += block[starts[nth]]
    return total + _block_sums(by_session, length=rest)[starts[whole]] if rest else total


def halved(share: float) -> float:
    """Round a share to the nearest of 1, 1/2, 1/4, …; more than all is all.

    Examples
    --------
    >>> halved(1.8), halved(0.9), halved(0.3)
    (1.0, 1.0, 0.25)
    """
    return float(0.5 ** max(round(-np.log2(share)), 0))


def thin(drawn: Float2D, *, share: float, seed: int) -> Float2D:
    """Draw as many rows from each null sample as a window with fewer symbols a session has.

    Parameters
    ----------
    drawn : float64 array, shape (draws, B)
        Rows per bin.
    share : float
        Of the rows, in (0, 1]; 1 returns them as they are.

    Examples
    --------
    >>> float(thin(np.array([[30.0, 10.0]]), share=0.25, seed=0).sum())
    10.0
    """
    total = drawn.sum(axis=1)
    if share >= 1.0 or not total.all():
        return drawn
    rows = np.maximum(np.round(total * share), 1.0).astype(np.int64)
    thinned: Float2D = (
        np.random.default_rng(seed).multinomial(rows, drawn / total[:, None]).astype(np.float64)
    )
    return thinned


def _plan(series: Float1D, *, current_sessions: int) -> BlockPlan:
    length = len(series)
    gamma = autocovariances(series)
    of_reference = mean_variance(gamma, sessions=length)
    memory = int(np.ceil(length * of_reference / gamma[0] - 0.5))
    block = min(max(memory, 1), current_sessions, max(length // 2, 1))
    wanted = mean_variance(gamma, sessions=current_sessions) + of_reference
    drawn = (
        block * max(mean_variance(gamma, sessions=block) - of_reference, 0.0) / wanted
        if wanted > 0
        else current_sessions
    )
    sessions = int(np.clip(round(drawn), 1, current_sessions))
    return BlockPlan(block_sessions=min(block, sessions), drawn_sessions=sessions)


def _block_sums(by_session: Float2D, *, length: int) -> Float2D:
    """Return the sum of ``length`` ≤ T rows from each start, wrapping round; shape (T, B)."""
    sessions = len(by_session)
    wrapped = np.concatenate([np.zeros_like(by_session[:1]), by_session, by_session[:length]])
    cumulative = np.cumsum(wrapped, axis=0)
    sums: Float2D = cumulative[length : length + sessions] - cumulative[:sessions]
    return sums
