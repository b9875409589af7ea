"""Performance metrics of a daily return series, with a word wherever one is undefined.

Conventions: 252 sessions a year, standard deviations with ddof 1, a risk-free rate of 0, returns as
fractions and compounded, losses (drawdown, CVaR) as positive fractions. An undefined metric is NaN, never
0: a Sharpe ratio of 0 would claim that something was measured. Where conventions agree the values are
those of ``empyrical-reloaded``, which tests/evaluation/test_metrics.py compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "SESSIONS_PER_YEAR",
    "MetricSet",
    "annual_turnover",
    "annual_volatility",
    "cagr",
    "calmar_ratio",
    "compute_metrics",
    "cvar",
    "hit_rate",
    "max_drawdown",
    "profit_factor",
    "sharpe_ratio",
    "sortino_ratio",
]

Float1D = npt.NDArray[np.float64]

SESSIONS_PER_YEAR: Final = 252
_NO_VARIATION: Final = 1e-10


@dataclass(frozen=True, kw_only=True)
class MetricSet:
    """Metrics by name, NaN where undefined; ``quality`` says why, for exactly those."""

    values: dict[str, float]
    quality: dict[str, str]

    def nullable(self) -> dict[str, float | None]:
        """Return the values with None for NaN, as records keep them."""
        return {name: None if np.isnan(value) else value for name, value in self.values.items()}


def sharpe_ratio(returns: Float1D) -> float:
    """Return the annual Sharpe ratio, mean / sd(ddof 1) · √252; NaN without variation or below 2 sessions.

    Examples
    --------
    >>> round(sharpe_ratio(np.array([0.01, -0.005, 0.007, 0.002])), 4)
    8.4729
    >>> sharpe_ratio(np.array([0.01, 0.01, 0.01]))
    nan
    """
    if not _varies(returns):
        return np.nan
    return float(returns.mean() / returns.std(ddof=1) * np.sqrt(SESSIONS_PER_YEAR))


def sortino_ratio(returns: Float1D) -> float:
    """Return the annual mean over the annual target semideviation; NaN where no session lost.

    The semideviation is √mean(min(r, 0)²) over *all* sessions (Sortino & Price 1994), not the standard
    deviation of the losing ones.

    Examples
    --------
    >>> round(sortino_ratio(np.array([0.01, -0.005, 0.007, 0.002])), 4)
    22.2243
    """
    semideviation = np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)) if len(returns) else 0.0
    if not semideviation > 0:
        return np.nan
    return float(returns.mean() / semideviation * np.sqrt(SESSIONS_PER_YEAR))


def annual_volatility(returns: Float1D) -> float:
    """Return sd(ddof 1) · √252; NaN below 2 sessions.

    Examples
    --------
    >>> round(annual_volatility(np.array([0.01, -0.005, 0.007, 0.002])), 4)
    0.1041
    """
    return float(returns.std(ddof=1) * np.sqrt(SESSIONS_PER_YEAR)) if len(returns) > 1 else np.nan


def cagr(returns: Float1D) -> float:
    """Return the compound growth rate per 252 sessions; −1 after ruin, NaN without a session.

    Examples
    --------
    >>> round(cagr(np.full(252, 0.0004)), 4)
    0.106
    """
    if not len(returns):
        return np.nan
    final = np.prod(np.maximum(1.0 + returns, 0.0))
    return float(final ** (SESSIONS_PER_YEAR / len(returns)) - 1.0)


def max_drawdown(returns: Float1D) -> float:
    """Return the largest fall from a peak of compounded equity as a positive fraction.

    The equity before the first session counts as a peak, so a loss on the first session is a drawdown.
    NaN without a session.

    Examples
    --------
    >>> max_drawdown(np.array([-0.5, 0.2]))
    0.5
    """
    if not len(returns):
        return np.nan
    equity = np.cumprod(np.concatenate([[1.0], np.maximum(1.0 + returns, 0.0)]))
    return float(np.max(1.0 - equity / np.maximum.accumulate(equity)))


def calmar_ratio(returns: Float1D) -> float:
    """Return CAGR over maximum drawdown; NaN without a drawdown.

    Examples
    --------
    >>> round(calmar_ratio(np.array([0.01, -0.005, 0.007, 0.002])), 0)
    280.0
    """
    drawdown = max_drawdown(returns)
    return cagr(returns) / drawdown if drawdown > 0 else np.nan


def hit_rate(returns: Float1D) -> float:
    """Return the share of winning sessions among those that won or lost; NaN where none did.

    Examples
    --------
    >>> hit_rate(np.array([0.01, 0.0, -0.02, 0.03, 0.0, 0.01]))
    0.75
    """
    active = int(np.count_nonzero(returns))
    return float(np.count_nonzero(returns > 0) / active) if active else np.nan


def profit_factor(returns: Float1D) -> float:
    """Return the sum of winning sessions over the sum of losing ones; NaN where no session lost.

    Examples
    --------
    >>> round(profit_factor(np.array([0.03, -0.01, 0.01])), 3)
    4.0
    """
    lost = -float(returns[returns < 0].sum())
    return float(returns[returns > 0].sum()) / lost if lost > 0 else np.nan


def cvar(returns: Float1D, *, share: float = 0.05) -> float:
    """Return the mean loss over the worst sessions as a positive fraction; NaN without a session.

    The worst ⌊(T − 1)·share⌋ + 1 sessions are averaged, as empyrical does.

    Examples
    --------
    >>> round(cvar(np.linspace(-0.04, 0.05, 10), share=0.2), 3)
    0.035
    """
    if not len(returns):
        return np.nan
    worst = int((len(returns) - 1) * share)
    return -float(np.partition(returns, worst)[: worst + 1].mean())


def annual_turnover(turnover: Float1D) -> float:
    """Return the mean traded weight per session times 252; NaN without a session.

    Examples
    --------
    >>> annual_turnover(np.array([1.0, 0.0, 0.0, 1.0]))
    126.0
    """
    return float(turnover.mean() * SESSIONS_PER_YEAR) if len(turnover) else np.nan


def compute_metrics(returns: Float1D, *, turnover: Float1D, exposure: Float1D) -> MetricSet:
    """Compute every metric of a scorecard.

    Parameters
    ----------
    returns, turnover, exposure : arrays, shape (T,)
        As :class:`ordinis_learn.bench.BacktestResult` holds them. A non-finite return makes every metric
        that reads returns undefined.

    Examples
    --------
    >>> flat = np.zeros(5)
    >>> metrics = compute_metrics(flat, turnover=flat, exposure=flat)
    >>> metrics.values["sharpe"], metrics.quality["sharpe"]
    (nan, 'undefined: returns do not vary')
    """
    finite = bool(np.isfinite(returns).all())
    measured = returns if finite else returns[:0]
    values = {
        "sharpe": sharpe_ratio(measured),
        "sortino": sortino_ratio(measured),
        "cagr": cagr(measured),
        "volatility": annual_volatility(measured),
        "max_drawdown": max_drawdown(measured),
        "calmar": calmar_ratio(measured),
        "hit_rate": hit_rate(measured),
        "profit_factor": profit_factor(measured),
        "cvar_5": cvar(measured),
        "turnover": annual_turnover(turnover),
        "exposure": float(exposure.mean()) if len(exposure) else np.nan,
    }
    why = _reason(returns, finite=finite)
    quality = {name: why.get(name, why["*"]) for name, value in values.items() if np.isnan(value)}
    return MetricSet(values=values, quality=quality)


def _varies(returns: Float1D) -> bool:
    # A constant series has a standard deviation of rounding size, not of exactly 0.
    return len(returns) > 1 and bool(returns.std(ddof=1) > _NO_VARIATION * np.abs(returns).max())


def _reason(returns: Float1D, *, finite: bool) -> dict[str, str]:
    if not finite:
        return {"*": "undefined: returns are not all finite"}
    if len(returns) < 2:
        return {"*": f"undefined: {len(returns)} sessions"}
    return {
        "*": "undefined: nothing was traded",
        "sharpe": "undefined: returns do not vary",
        "sortino": "undefined: no losing session",
        "calmar": "undefined: no drawdown",
        "profit_factor": "undefined: no losing session",
        "hit_rate": "undefined: no session won or lost",
    }
