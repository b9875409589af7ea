"""Tests of whether one Sharpe ratio is really better than another on the same sessions.

Three of them, all about subject minus baseline, annual, paired by session:

- :func:`compare_sharpe` is the one that gates read: the studentised circular-block bootstrap of Ledoit &
  Wolf (2008), *Robust performance hypothesis testing with the Sharpe ratio*, Journal of Empirical
  Finance 15(5), section 3.2.2. It holds its level under fat tails and volatility that clusters;
- :func:`compare_sharpe_hac` is the same paper's section 3.1: faster, a little too eager in small samples;
- :func:`compare_sharpe_jkm` is Jobson & Korkie (1981) as corrected by Memmel (2003). It assumes
  independent normal returns and rejects far too often on real ones; it is reported because people ask.

Statistical power is part of the answer: see :func:`sessions_for_power`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation.long_run_variance import long_run_covariance
from ordinis_learn.evaluation.metrics import SESSIONS_PER_YEAR
from ordinis_learn.records import Interval, PairedDifference, Verdict

__all__ = [
    "MIN_SESSIONS",
    "compare_sharpe",
    "compare_sharpe_hac",
    "compare_sharpe_jkm",
    "default_block_length",
    "sessions_for_power",
]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]

MIN_SESSIONS: Final = 60
"""Below a quarter of sessions none of the three approximations means much."""

_POWER: Final = 0.80
_CELLS_AT_ONCE: Final = 1_000_000
_NO_VARIATION: Final = 1e-10


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pair:
    """Moments of two paired series: columns r₁, r₂, r₁², r₂²; ``annual`` turns ddof 0 per session into ddof 1 a year."""

    moments: Float2D
    annual: float

    @property
    def difference(self) -> float:
        return float(_difference(self.moments.mean(axis=0)))


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
        Sessions per block; :func:`default_block_length` of T when None.

    Returns
    -------
    PairedDifference
        Annual. ``minimum_detectable`` and ``sessions_needed`` use the Jobson–Korkie–Memmel variance at the
        observed ratios; ``sessions_needed`` is NaN where the estimate is not above ``null``. Two series
        that are the same strategy (up to scale) differ by exactly 0: "inconclusive" against a null of 0.

    Raises
    ------
    EvalFailed
        Lengths differ, fewer than 60 sessions, a non-finite return, or a series without variation.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> market = rng.normal(0.0003, 0.01, 2000)
    >>> better = market + rng.normal(0.0008, 0.004, 2000)
    >>> result = compare_sharpe(better, market, seed=1, draws=500)
    >>> result.verdict, result.block_length, result.interval.low > 0
    ('pass', 13, True)
    """
    pair = _paired(subject, baseline)
    length = block_length or default_block_length(len(subject))
    if not 1 <= length <= len(subject) // 4:
        raise EvalFailed(
            f"compare Sharpe ratios with blocks of {length} sessions",
            found=f"{len(subject)} sessions, fewer than four blocks",
            next_step="choose shorter blocks",
        )
    se = _hac_standard_error(pair)
    if _same_strategy(pair, se):
        return _no_difference(pair, null=null, alpha=alpha)
    statistics = _bootstrap_statistics(
        pair, block_length=length, draws=draws, rng=np.random.default_rng(seed)
    )
    # An undefined draw (a block sample without variation) counts against whatever is being claimed.
    lower_tail = np.sort(np.where(np.isnan(statistics), -np.inf, statistics))
    upper_tail = np.sort(np.where(np.isnan(statistics), np.inf, statistics))
    rank = min(int(np.ceil((1.0 - alpha) * (draws + 1))), draws)
    observed = (pair.difference - null / pair.annual) / se
    return _result(
        pair,
        difference=pair.difference,
        low=pair.difference - upper_tail[rank - 1] * se,
        high=pair.difference - lower_tail[draws - rank] * se,
        p_value=(np.count_nonzero(upper_tail >= observed) + 1) / (draws + 1),
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
    pair = _paired(subject, baseline)
    se = _hac_standard_error(pair)
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
    pair = _paired(subject, baseline)
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


def sessions_for_power(
    sharpe_subject: float,
    sharpe_baseline: float,
    *,
    correlation: float,
    alpha: float = 0.05,
    power: float = _POWER,
) -> float:
    """Return how many sessions would show a true difference of two annual Sharpe ratios.

    One-sided, by the Jobson–Korkie–Memmel variance; real returns need more. Infinite without a difference.

    Examples
    --------
    From 1.0 to 1.5 at a correlation of 0.9 takes five years:

    >>> round(sessions_for_power(1.5, 1.0, correlation=0.9) / 252, 1)
    5.0
    """
    a, b = np.array([sharpe_subject, sharpe_baseline]) / np.sqrt(SESSIONS_PER_YEAR)
    if a == b:
        return np.inf
    variance = _memmel(a, b, correlation)
    return float(variance * ((ndtri(1.0 - alpha) + ndtri(power)) / (a - b)) ** 2)


def _paired(subject: Float1D, baseline: Float1D) -> _Pair:
    faults = {
        f"{len(subject)} and {len(baseline)} sessions": len(subject) != len(baseline),
        f"{len(subject)} sessions, {MIN_SESSIONS} are the least": len(subject) < MIN_SESSIONS,
        "returns that are not finite": not (np.isfinite(subject).all() and np.isfinite(baseline).all()),
    }
    found = [fault for fault, holds in faults.items() if holds]
    if not found:
        flat = [r.std() <= _NO_VARIATION * np.abs(r).max() for r in (subject, baseline)]
        found = ["returns without variation"] if any(flat) else []
    if found:
        raise EvalFailed(
            "compare two Sharpe ratios",
            found="; ".join(found),
            next_step="give both models the same, longer stretch of sessions in which both trade",
        )
    sessions = len(subject)
    return _Pair(
        moments=np.column_stack([subject, baseline, subject**2, baseline**2]),
        annual=float(np.sqrt(SESSIONS_PER_YEAR * (sessions - 1) / sessions)),
    )


def _difference(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return SR₁ − SR₂ from moments on the last axis; NaN without variation."""
    variance = np.stack([v[..., 2] - v[..., 0] ** 2, v[..., 3] - v[..., 1] ** 2])
    deviation = np.sqrt(np.where(variance > 0, variance, np.nan))
    ratio: npt.NDArray[np.float64] = v[..., 0] / deviation[0] - v[..., 1] / deviation[1]
    return ratio


def _gradient(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the gradient of :func:`_difference` by the moments (Ledoit & Wolf 2008, eq. 3)."""
    a, b, c, d = (v[..., k] for k in range(4))
    first = np.where(c > a**2, c - a**2, np.nan) ** 1.5
    second = np.where(d > b**2, d - b**2, np.nan) ** 1.5
    return np.stack([c / first, -d / second, -a / (2 * first), b / (2 * second)], axis=-1)


def _hac_standard_error(pair: _Pair) -> float:
    gradient = _gradient(pair.moments.mean(axis=0))
    # Unlike the authors' code, each moment is scaled to unit variance first: returns are a hundred times
    # their squares, and neither the clipped prewhitening nor the bandwidth should depend on their unit.
    scale = pair.moments.std(axis=0)
    covariance = long_run_covariance(pair.moments / scale)
    weights = gradient * scale
    return float(np.sqrt(max(weights @ covariance @ weights, 0.0) / len(pair.moments)))


def _bootstrap_statistics(pair: _Pair, *, block_length: int, draws: int, rng: np.random.Generator) -> Float1D:
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
        zeta = np.einsum("dbk,dk->db", deviations, _gradient(means)) / np.sqrt(block_length)
        variance = (zeta**2).mean(axis=1) / (blocks * block_length)
        se = np.sqrt(np.where(variance > 0, variance, np.nan))
        parts.append((_difference(means) - observed) / se)
    return np.concatenate(parts)


def _circular_block_sums(moments: Float2D, *, block_length: int) -> Float2D:
    wrapped = np.concatenate([moments, moments[: block_length - 1]])
    windows = np.lib.stride_tricks.sliding_window_view(wrapped, block_length, axis=0)
    sums: Float2D = windows.sum(axis=-1)
    return sums


def _jkm_variance(pair: _Pair) -> float:
    mean = pair.moments.mean(axis=0)
    a, b = mean[:2] / np.sqrt(mean[2:] - mean[:2] ** 2)
    correlation = float(np.corrcoef(pair.moments[:, 0], pair.moments[:, 1])[0, 1])
    return _memmel(a, b, correlation)


def _memmel(a: float, b: float, correlation: float) -> float:
    """Return T times the variance of SR₁ − SR₂ (Memmel 2003), never below 0 by rounding."""
    variance = 2.0 - 2.0 * correlation + 0.5 * (a**2 + b**2 - 2.0 * a * b * correlation**2)
    return max(float(variance), 0.0)


def _same_strategy(pair: _Pair, se: float) -> bool:
    return se <= 1e-8 and abs(pair.difference) <= _NO_VARIATION


def _normal(pair: _Pair, se: float, *, null: float, alpha: float, method: str) -> PairedDifference:
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


def _no_difference(pair: _Pair, *, null: float, alpha: float) -> PairedDifference:
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
    pair: _Pair,
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
    reach = float(ndtri(1.0 - alpha) + ndtri(_POWER)) * np.sqrt(_jkm_variance(pair) / sessions) * annual
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
