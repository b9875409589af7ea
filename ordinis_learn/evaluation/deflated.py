"""How sure one may be of a Sharpe ratio, given its sample and how many were tried.

All Sharpe ratios here are *per period* (divide an annual one by √252 for daily returns), and ``kurtosis``
is raw: 3 for a normal. The variance is that of Bailey & López de Prado (2012), taken at the estimate. A
later revision (López de Prado, Lipton & Zoonekynd 2025, SSRN 5520741) takes it under the null and gives
other probabilities on the same numbers; do not compare the two.

Sources: Bailey & López de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15(2), 2012;
Bailey & López de Prado, *The Deflated Sharpe Ratio*, Journal of Portfolio Management 40(5), 2014.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

__all__ = [
    "deflated_sharpe",
    "expected_maximum_sharpe",
    "minimum_track_record",
    "periods_for_confidence",
    "probabilistic_sharpe",
    "return_shape",
    "sharpe_standard_error",
]

EULER_GAMMA: Final = 0.5772156649015329


def return_shape(returns: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return skewness and raw kurtosis with biased moments (ddof 0), NaN without variation.

    Examples
    --------
    >>> skewness, kurtosis = return_shape(np.array([-1.0, 0.0, 1.0]))
    >>> skewness, round(kurtosis, 6)
    (0.0, 1.5)
    """
    centred = returns - returns.mean()
    variance = float(np.mean(centred**2))
    if not variance > 0:
        return np.nan, np.nan
    return float(np.mean(centred**3) / variance**1.5), float(np.mean(centred**4) / variance**2)


def probabilistic_sharpe(
    sharpe: float, *, periods: int, skewness: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """Return the probability that the true Sharpe ratio exceeds a benchmark (2012, eq. 11).

    Φ[(SR − SR*)·√(T − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4·SR²)]; NaN where that variance is not positive or
    ``periods`` is below 2.

    Examples
    --------
    The hedge fund of the 2012 paper: two years of monthly returns, SR 0.458 a month, taken as normal and
    with its real skewness and kurtosis:

    >>> round(probabilistic_sharpe(0.458, periods=24), 3)
    0.982
    >>> round(probabilistic_sharpe(0.458, periods=24, skewness=-2.448, kurtosis=10.164), 3)
    0.913
    """
    variance = _variance(sharpe, skewness=skewness, kurtosis=kurtosis)
    if periods < 2 or not variance > 0:
        return np.nan
    return float(ndtr((sharpe - benchmark) * np.sqrt(periods - 1) / np.sqrt(variance)))


def sharpe_standard_error(
    sharpe: float, *, periods: int, skewness: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Return the standard error of an estimated Sharpe ratio (2012, eq. 8).

    √[(1 − γ₃·SR + (γ₄ − 1)/4·SR²) / (T − 1)]; NaN where that variance is not positive or ``periods`` is below 2.

    Examples
    --------
    The hedge fund of the 2012 paper:

    >>> round(sharpe_standard_error(0.458, periods=24, skewness=-2.448, kurtosis=10.164), 4)
    0.3363
    """
    variance = _variance(sharpe, skewness=skewness, kurtosis=kurtosis)
    if periods < 2 or not variance > 0:
        return np.nan
    return float(np.sqrt(variance / (periods - 1)))


def periods_for_confidence(probability: float, *, periods: int, confidence: float = 0.95) -> float:
    """Return how long a record must be for its probability to reach a confidence, if all else stays as it is.

    The minimum track record (2012, eq. 13) told from the probability itself: 1 + (T − 1)·(Φ⁻¹(confidence) /
    Φ⁻¹(probability))². So it serves for the deflated Sharpe ratio too, whatever its benchmark is. Infinite where
    the ratio does not exceed the benchmark (a probability of ½ or less), NaN for NaN. Not rounded up.

    Examples
    --------
    The hedge fund's 24 months give 0.913; the minimum track record says the same:

    >>> shape = dict(skewness=-2.448, kurtosis=10.164)
    >>> known = probabilistic_sharpe(0.458, periods=24, **shape)
    >>> round(periods_for_confidence(known, periods=24), 3), round(minimum_track_record(0.458, **shape), 3)
    (34.558, 34.558)
    """
    if np.isnan(probability):
        return np.nan
    if probability <= 0.5:
        return np.inf
    if probability >= 1.0:
        return 1.0
    return float(1.0 + (periods - 1) * (ndtri(confidence) / ndtri(probability)) ** 2)


def expected_maximum_sharpe(*, trials: int, trial_variance: float) -> float:
    """Return the Sharpe ratio that the best of N worthless trials is expected to show (2014, eq. 1).

    √V·[(1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))]; 0 for a single trial.

    Parameters
    ----------
    trials : int
        Independent trials, at least 1. Correlated trials count for less, so the raw count is strict.
    trial_variance : float
        Variance of the per-period Sharpe ratios across trials.

    Examples
    --------
    >>> round(expected_maximum_sharpe(trials=100, trial_variance=0.5 / 250), 4)
    0.1132
    """
    if trials <= 1:
        return 0.0
    gumbel = (1.0 - EULER_GAMMA) * ndtri(1.0 - 1.0 / trials) + EULER_GAMMA * ndtri(
        1.0 - 1.0 / (trials * np.e)
    )
    return float(np.sqrt(trial_variance) * gumbel)


def deflated_sharpe(
    sharpe: float,
    *,
    periods: int,
    trials: int,
    trial_variance: float,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
) -> float:
    """Return the probabilistic Sharpe ratio against the best of ``trials`` worthless ones (2014, eq. 2).

    Examples
    --------
    The 2014 paper: annual SR 2.5 over five years of 250 sessions, the best of 100 trials whose annual SR
    varies by ½; with 46 trials the same record would pass at 95 %:

    >>> record = dict(periods=1250, trial_variance=0.5 / 250, skewness=-3.0, kurtosis=10.0)
    >>> round(deflated_sharpe(2.5 / 250**0.5, trials=100, **record), 4)
    0.9004
    >>> round(deflated_sharpe(2.5 / 250**0.5, trials=46, **record), 4)
    0.9505
    """
    return probabilistic_sharpe(
        sharpe,
        periods=periods,
        skewness=skewness,
        kurtosis=kurtosis,
        benchmark=expected_maximum_sharpe(trials=trials, trial_variance=trial_variance),
    )


def minimum_track_record(
    sharpe: float,
    *,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Return how many periods it takes to be confident that SR exceeds a benchmark (2012, eq. 13).

    1 + [1 − γ₃·SR + (γ₄ − 1)/4·SR²]·(Φ⁻¹(confidence) / (SR − SR*))²; infinite where SR does not exceed
    the benchmark. Not rounded up.

    Examples
    --------
    The 2012 paper: an annual SR of 2 against 1 takes 2.73 years of daily normal returns, and 4.99 years of
    monthly ones with the skewness and kurtosis of a hedge-fund index:

    >>> daily = minimum_track_record(2 / 252**0.5, benchmark=1 / 252**0.5)
    >>> monthly = minimum_track_record(2 / 12**0.5, benchmark=1 / 12**0.5, skewness=-0.72, kurtosis=5.78)
    >>> round(daily / 252, 2), round(monthly / 12, 2)
    (2.73, 4.99)
    """
    if not sharpe > benchmark:
        return np.inf
    variance = _variance(sharpe, skewness=skewness, kurtosis=kurtosis)
    return float(1.0 + variance * (ndtri(confidence) / (sharpe - benchmark)) ** 2)


def _variance(sharpe: float, *, skewness: float, kurtosis: float) -> float:
    return 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
