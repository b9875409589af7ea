"""The difference of two maximum drawdowns on the same sessions."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation.metrics import max_drawdown
from ordinis_learn.records import Interval, PairedDifference, Verdict

__all__ = ["compare_drawdown"]

Float1D = npt.NDArray[np.float64]

_BLOCK_SESSIONS: Final = 63
_CELLS_AT_ONCE: Final = 1_000_000


def compare_drawdown(
    subject: Float1D,
    baseline: Float1D,
    *,
    seed: int,
    alpha: float = 0.05,
    draws: int = 500,
    block_length: int = _BLOCK_SESSIONS,
) -> PairedDifference:
    """Compare maximum drawdowns; the estimate is subject minus baseline, so below 0 is better.

    The interval holds the middle of the paired circular-block bootstrap. A maximum over one path has no
    well-behaved sampling distribution and blocks of a quarter cut long falls short, so read it as a range
    of what might have happened; gates compare the estimate with a tolerance.

    Parameters
    ----------
    subject, baseline : arrays, shape (T,)
        Finite returns of the same sessions, in order.

    Returns
    -------
    PairedDifference
        In absolute fractions of equity. ``p_value`` is the share of draws in which the subject's drawdown
        is not the smaller. ``minimum_detectable`` and ``sessions_needed`` are NaN.

    Raises
    ------
    EvalFailed
        Lengths differ, there is no session, or a return is not finite.

    Examples
    --------
    >>> market = np.random.default_rng(0).normal(0.0, 0.01, 1000)
    >>> result = compare_drawdown(0.5 * market, market, seed=1, draws=200)
    >>> result.estimate < 0, result.verdict
    (True, 'pass')
    """
    if len(subject) != len(baseline) or not len(subject) or not np.isfinite([subject, baseline]).all():
        raise EvalFailed(
            "compare two maximum drawdowns",
            found=f"{len(subject)} and {len(baseline)} sessions, or returns that are not finite",
            next_step="give finite returns of the same sessions for both models",
        )
    drawn = _drawn_differences(
        subject,
        baseline,
        block_length=min(block_length, len(subject)),
        draws=draws,
        rng=np.random.default_rng(seed),
    )
    low, high = (float(q) for q in np.quantile(drawn, [alpha, 1.0 - alpha]))
    verdict: Verdict = "pass" if high < 0 else "fail" if low > 0 else "inconclusive"
    return PairedDifference(
        metric="max_drawdown",
        estimate=max_drawdown(subject) - max_drawdown(baseline),
        interval=Interval(low=low, high=high, level=1.0 - 2.0 * alpha),
        null=0.0,
        p_value=float((np.count_nonzero(drawn >= 0) + 1) / (draws + 1)),
        alpha=alpha,
        method="paired circular-block bootstrap, percentiles",
        block_length=min(block_length, len(subject)),
        draws=draws,
        minimum_detectable=np.nan,
        sessions=len(subject),
        sessions_needed=np.nan,
        verdict=verdict,
    )


def _drawn_differences(
    subject: Float1D, baseline: Float1D, *, block_length: int, draws: int, rng: np.random.Generator
) -> Float1D:
    sessions = len(subject)
    blocks = -(-sessions // block_length)
    at_once = max(1, _CELLS_AT_ONCE // sessions)
    parts = []
    for first in range(0, draws, at_once):
        starts = rng.integers(0, sessions, size=(min(at_once, draws - first), blocks, 1))
        rows = ((starts + np.arange(block_length)) % sessions).reshape(len(starts), -1)[:, :sessions]
        parts.append(_drawdowns(subject[rows]) - _drawdowns(baseline[rows]))
    return np.concatenate(parts)


def _drawdowns(returns: npt.NDArray[np.float64]) -> Float1D:
    """Return the maximum drawdown of each row."""
    equity = np.cumprod(np.maximum(1.0 + returns, 0.0), axis=1)
    peak = np.maximum(np.maximum.accumulate(equity, axis=1), 1.0)
    worst: Float1D = (1.0 - equity / peak).max(axis=1)
    return worst
