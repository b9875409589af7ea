"""Tests of whether one Sharpe ratio is really better than another on the same sessions.

Three of them, all about subject minus baseline, annual, paired by session:

- :func:`compare_sharpe` is the one that gates read: the studentised circular-block bootstrap of Ledoit &
  Wolf (2008), *Robust performance hypothesis testing with the Sharpe ratio*, Journal of Empirical
  Finance 15(5), section 3.2.2. It holds its level under fat tails and volatility that clusters;
- :func:`compare_sharpe_hac` is the same paper's section 3.1: faster, a little too eager in small samples;
- :func:`compare_sharpe_jkm` is Jobson & Korkie (1981) as corrected by Memmel (2003). It assumes
  independent normal returns and its level is only as good as that; it is reported because people ask.

Statistical power is part of the answer: see :mod:`ordinis_learn.evaluation.power`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation.paired_moments import PairedMoments
from ordinis_learn.evaluation.power import POWER, memmel_variance
from ordinis_learn.evaluation.studentised import bootstrap_statistics, critical_values, hac_standard_error
from ordinis_learn.records import Interval, PairedDifference, Verdict

__all__ = [
    "compare_sharpe",
    "compare_sharpe_hac",
    "compare_sharpe_jkm",
    "default_block_length",
]

Float1D = npt.NDArray[np.float64]

_ROUNDING: Final = 1e-8


def compare_sharpe(
    subject: Float1D,
    baseline: Float1D,
    *,
    seed: int,
    null: float = 0.0,
    alpha: float = 0.05,
    draws: int = 2000,
    block_length: int | None = None,
) -> PairedDifference:
    """Test the difference of two Sharpe ratios by the studentised circular-block bootstrap.

    The statistic of the data is studentised by the HAC standard error, that of each draw by the natural
    variance of its blocks (Götze & Künsch 1996), as in the paper. Bounds are one-sided at ``alpha`` each
    (the interval's level is 1 − 2·alpha), and the verdict agrees with the p-value by construction.

    Parameters
    ----------
    subject, baseline : arrays, shape (T,)
        Finite returns of the same sessions, in order.
    seed : int
        The same seed gives the same answer.
    null : float
        Annual difference that must be exceeded.
    block_length : int, optional
        Sessions per block; :func:`default_block_length` of T when None. The paper's own choice is
        :func:`ordinis_learn.evaluation.calibrated_block_length`.

    Returns
    -------
    PairedDifference
        Annual. ``minimum_detectable`` and ``sessions_needed`` use the Jobson–Korkie–Memmel variance at the
        observed ratios; ``sessions_needed`` is NaN where the estimate is not above ``null``. Two series
        that are the same strategy (up to scale) differ by exactly 0: "inconclusive" against a null of 0.

    Raises
    ------
    EvalFailed
        Lengths differ, fewer than 60 sessions, a non-finite return, a series without variation, fewer than
        four blocks, or too few draws to reach ``alpha``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(0.0003, 0.01, 2000)
    >>> better = market + rng.normal(0.0008, 0.004, 2000)
    >>> result = compare_sharpe(better, market, seed=1, draws=500)
    >>> result.verdict, result.block_length, result.interval.low > 0
    ('pass', 13, True)
    """
    pair = PairedMoments.of(subject, baseline)
    length = default_block_length(len(subject)) if block_length is None else block_length
    _check_design(sessions=len(subject), block_length=length, draws=draws, alpha=alpha)
    se = hac_standard_error(pair)
    if _same_strategy(pair, se):
        return _no_difference(pair, null=null, alpha=alpha)
    statistics = bootstrap_statistics(pair, block_length=length, draws=draws, rng=np.random.default_rng(seed))
    lower, upper = critical_values(statistics, alpha=alpha)
    observed = (pair.difference - null / pair.annual) / se
    # An undefined draw (a block sample without variation) counts against whatever is being claimed.
    not_below = np.count_nonzero((statistics >= observed) | np.isnan(statistics))
    return _result(
        pair,
        difference=pair.difference,
        low=pair.difference - upper * se,
        high=pair.difference - lower * se,
        p_value=(not_below + 1) / (draws + 1),
        null=null,
        alpha=alpha,
        method="Ledoit-Wolf 2008 studentised circular-block bootstrap",
        block_length=length,
        draws=draws,
    )


def compare_sharpe_hac(
    subject: Float1D, baseline: Float1D, *, null: float = 0.0, alpha: float = 0.05
) -> PairedDifference:
    """Test the difference of two Sharpe ratios with a prewhitened Parzen HAC standard error.

    Parameters, result and errors are those of :func:`compare_sharpe`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(0.0003, 0.01, 2000)
    >>> compare_sharpe_hac(market + rng.normal(0, 0.004, 2000), market).verdict
    'inconclusive'
    """
    pair = PairedMoments.of(subject, baseline)
    se = hac_standard_error(pair)
    return _normal(pair, se, null=null, alpha=alpha, method="Ledoit-Wolf 2008 HAC (prewhitened Parzen)")


def compare_sharpe_jkm(
    subject: Float1D, baseline: Float1D, *, null: float = 0.0, alpha: float = 0.05
) -> PairedDifference:
    """Test the difference of two Sharpe ratios by Jobson–Korkie with Memmel's correction.

    Parameters, result and errors are those of :func:`compare_sharpe`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(0.0003, 0.01, 2000)
    >>> compare_sharpe_jkm(market + rng.normal(0, 0.004, 2000), market).method
    'Jobson-Korkie 1981, Memmel 2003'
    """
    pair = PairedMoments.of(subject, baseline)
    se = np.sqrt(_jkm_variance(pair) / len(pair.moments))
    return _normal(pair, float(se), null=null, alpha=alpha, method="Jobson-Korkie 1981, Memmel 2003")


def default_block_length(sessions: int) -> int:
    """Return ⌈T^⅓⌉, the order that is optimal for a block bootstrap variance (Hall, Horowitz & Jing 1995).

    Examples
    --------
    >>> default_block_length(250), default_block_length(3500)
    (7, 16)
    """
    return max(1, int(np.ceil(round(sessions ** (1.0 / 3.0), 9))))


def _check_design(*, sessions: int, block_length: int, draws: int, alpha: float) -> None:
    fits = 1 <= block_length <= sessions // 4
    faults = {
        f"{sessions} sessions do not hold four blocks of {block_length}": not fits,
        f"{draws} draws cannot reach a level of {alpha}": (draws + 1) * alpha < 1.0,
    }
    found = [fault for fault, holds in faults.items() if holds]
    if found:
        raise EvalFailed(
            "bootstrap a Sharpe difference",
            found="; ".join(found),
            next_step=f"choose shorter blocks, or at least {int(np.ceil(1.0 / alpha)) - 1} draws",
        )


def _jkm_variance(pair: PairedMoments) -> float:
    mean = pair.moments.mean(axis=0)
    a, b = mean[:2] / np.sqrt(mean[2:] - mean[:2] ** 2)
    correlation = float(np.corrcoef(pair.moments[:, 0], pair.moments[:, 1])[0, 1])
    return memmel_variance(a, b, correlation=correlation)


def _same_strategy(pair: PairedMoments, se: float) -> bool:
    return se <= _ROUNDING and abs(pair.difference) <= _ROUNDING


def _normal(pair: PairedMoments, se: float, *, null: float, alpha: float, method: str) -> PairedDifference:
    if _same_strategy(pair, se):
        return _no_difference(pair, null=null, alpha=alpha)
    reach = float(ndtri(1.0 - alpha)) * se
    return _result(
        pair,
        difference=pair.difference,
        low=pair.difference - reach,
        high=pair.difference + reach,
        p_value=float(ndtr((null / pair.annual - pair.difference) / se)),
        null=null,
        alpha=alpha,
        method=method,
    )


def _no_difference(pair: PairedMoments, *, null: float, alpha: float) -> PairedDifference:
    """Return what is known of a strategy against itself: exactly 0, with no sample to blame."""
    return _result(
        pair,
        difference=0.0,
        low=0.0,
        high=0.0,
        p_value=1.0,
        null=null,
        alpha=alpha,
        method="none: identical up to scale",
    )


def _result(
    pair: PairedMoments,
    *,
    difference: float,
    low: float,
    high: float,
    p_value: float,
    null: float,
    alpha: float,
    method: str,
    block_length: int = 1,
    draws: int = 0,
) -> PairedDifference:
    sessions, annual = len(pair.moments), pair.annual
    reach = float(ndtri(1.0 - alpha) + ndtri(POWER)) * np.sqrt(_jkm_variance(pair) / sessions) * annual
    estimate, low, high = difference * annual, low * annual, high * annual
    excess = estimate - null
    verdict: Verdict = "pass" if low > null else "fail" if high < null else "inconclusive"
    return PairedDifference(
        metric="sharpe",
        estimate=estimate,
        interval=Interval(low=low, high=high, level=1.0 - 2.0 * alpha),
        null=null,
        p_value=float(p_value),
        alpha=alpha,
        method=method,
        block_length=block_length,
        draws=draws,
        minimum_detectable=float(reach),
        sessions=sessions,
        sessions_needed=float(sessions * (reach / excess) ** 2) if excess > 0 else np.nan,
        verdict=verdict,
    )
