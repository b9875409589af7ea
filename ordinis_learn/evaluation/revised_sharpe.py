"""The 2025 form of the probabilistic Sharpe ratio: its variance under the null, with autocorrelation.

The 2012 form (:mod:`ordinis_learn.evaluation.deflated`) takes the variance at the estimate and returns as
independent. On the hedge fund of the 2012 paper the two say 0.913 and 0.988, so a probability means nothing
without the name of its convention. The gate reads the 2012 form; this one is reported beside it.

Source: López de Prado, Lipton & Zoonekynd (2025), *How to Use the Sharpe Ratio*, SSRN 5520741. Sharpe ratios
are per period, kurtosis is raw (3 for a normal).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

__all__ = ["autocorrelation", "minimum_track_record_revised", "probabilistic_sharpe_revised"]


def autocorrelation(returns: npt.NDArray[np.float64]) -> float:
    """Return the first-order autocorrelation, Σ(r_t − r̄)(r_{t−1} − r̄) / Σ(r_t − r̄)²; NaN without variation.

    Examples
    --------
    >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]))
    -0.75
    """
    centred = returns - returns.mean()
    power = float(centred @ centred)
    return float(centred[1:] @ centred[:-1]) / power if power > 0 else np.nan


def probabilistic_sharpe_revised(
    sharpe: float,
    *,
    periods: int,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    autocorrelation: float = 0.0,
    benchmark: float = 0.0,
) -> float:
    """Return the probability that the true Sharpe ratio exceeds a benchmark, with the variance under the null.

    Φ[(SR − SR*)·√T / σ(SR*)] with, for an AR(1) coefficient ρ,

        σ²(SR) = (1+ρ)/(1−ρ) − (1+ρ+ρ²)/(1−ρ²)·γ₃·SR + (1+ρ²)/(1−ρ²)·(γ₄−1)/4·SR²

    NaN where σ² is not positive, ``periods`` is below 2, or |ρ| is not below 1.

    Examples
    --------
    The hedge fund of the 2012 paper. Against zero, skewness and kurtosis do not matter here:

    >>> round(probabilistic_sharpe_revised(0.458, periods=24, skewness=-2.448, kurtosis=10.164), 3)
    0.988
    >>> round(probabilistic_sharpe_revised(0.458, periods=24, autocorrelation=0.3), 3)
    0.95
    """
    variance = _variance(benchmark, skewness=skewness, kurtosis=kurtosis, autocorrelation=autocorrelation)
    if periods < 2 or not variance > 0:
        return np.nan
    return float(ndtr((sharpe - benchmark) * np.sqrt(periods / variance)))


def minimum_track_record_revised(
    sharpe: float,
    *,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    autocorrelation: float = 0.0,
    benchmark: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Return how many periods make :func:`probabilistic_sharpe_revised` reach a confidence.

    σ²(SR*)·(Φ⁻¹(confidence) / (SR − SR*))²; infinite where SR does not exceed the benchmark. Not rounded up.

    Examples
    --------
    >>> round(minimum_track_record_revised(0.458, confidence=0.95), 1)
    12.9
    """
    if not sharpe > benchmark:
        return np.inf
    variance = _variance(benchmark, skewness=skewness, kurtosis=kurtosis, autocorrelation=autocorrelation)
    return float(variance * (ndtri(confidence) / (sharpe - benchmark)) ** 2) if variance > 0 else np.nan


def _variance(sharpe: float, *, skewness: float, kurtosis: float, autocorrelation: float) -> float:
    """Return T times the variance of the estimated Sharpe ratio at a true one; NaN unless |ρ| < 1."""
    rho = autocorrelation
    if not abs(rho) < 1.0:
        return np.nan
    linear = (1.0 + rho + rho**2) / (1.0 - rho**2) * skewness * sharpe
    quadratic = (1.0 + rho**2) / (1.0 - rho**2) * (kurtosis - 1.0) / 4.0 * sharpe**2
    return (1.0 + rho) / (1.0 - rho) - linear + quadratic
