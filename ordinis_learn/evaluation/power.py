"""How much evidence a difference of Sharpe ratios takes."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from ordinis_learn.evaluation.deflated import sharpe_standard_error
from ordinis_learn.evaluation.metrics import SESSIONS_PER_YEAR

__all__ = ["POWER", "detectable_sharpe", "memmel_variance", "sessions_for_power"]

POWER = 0.80
"""The chance of seeing a true difference that "detectable" stands for."""


def sessions_for_power(
    sharpe_subject: float,
    sharpe_baseline: float,
    *,
    correlation: float,
    alpha: float = 0.05,
    power: float = POWER,
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
    variance = memmel_variance(a, b, correlation=correlation)
    return float(variance * ((ndtri(1.0 - alpha) + ndtri(power)) / (a - b)) ** 2)


def detectable_sharpe(
    sharpe: float,
    *,
    sessions: int,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    confidence: float = 0.95,
    power: float = POWER,
) -> float:
    """Return how far above a benchmark the true annual Sharpe ratio must lie for a record to show it.

    One-sided at ``1 − confidence``, with the standard error of Bailey & López de Prado (2012) at the observed daily
    ratio ``sharpe`` (per session, not annual). NaN where that is undefined.

    Examples
    --------
    Ten years show an annual ratio of 0.8 over the benchmark, four times as many half of it:

    >>> round(detectable_sharpe(0.05, sessions=2520), 2), round(detectable_sharpe(0.05, sessions=10080), 2)
    (0.79, 0.39)
    """
    error = sharpe_standard_error(sharpe, periods=sessions, skewness=skewness, kurtosis=kurtosis)
    return float((ndtri(confidence) + ndtri(power)) * error * np.sqrt(SESSIONS_PER_YEAR))


def memmel_variance(a: float, b: float, *, correlation: float) -> float:
    """Return T times the variance of the difference of two per-session Sharpe ratios.

    2 − 2ρ + ½(a² + b² − 2abρ²) for independent normal returns: Jobson & Korkie (1981) as corrected by
    Memmel (2003), *Performance hypothesis testing with the Sharpe ratio*, Finance Letters 1.

    Examples
    --------
    >>> memmel_variance(0.1, 0.1, correlation=0.5)
    1.0075
    """
    variance = 2.0 - 2.0 * correlation + 0.5 * (a**2 + b**2 - 2.0 * a * b * correlation**2)
    return max(float(variance), 0.0)
