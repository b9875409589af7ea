"""How long a series of sessions remembers, from an autoregression fitted to it."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D

__all__ = ["autocovariances", "mean_variance"]


def autocovariances(series: Float1D) -> Float1D:
    """Estimate autocovariances at lags 0..T−1 by an autoregression chosen by AIC.

    A raw sample autocovariance is noise at long lags, and its sum over them is useless. Yule-Walker fits of order up to
    10 log₁₀ T are compared, and the fitted model is run out to every lag. Removing the sample mean biases each lag
    down by the variance of that mean, so the fit is made a second time with this variance added back.

    Parameters
    ----------
    series : float64 array, shape (T,)
        One finite value per session.

    Returns
    -------
    float64 array, shape (T,)
        All 0 for a constant series.

    References
    ----------
    Akaike, H. (1969), Fitting autoregressive models for prediction; Percival & Walden (1993), ch. 9.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(400)
    >>> gamma = autocovariances(noise)
    >>> bool(abs(gamma[1] / gamma[0]) < 0.1)
    True
    """
    length = len(series)
    raw = _sample_autocovariances(series)
    if raw[0] <= np.finfo(np.float64).tiny:
        return np.zeros(length)
    first = _run_out(raw, length=length)
    lags = np.arange(length // 2)
    unbiased = raw[: length // 2] * length / (length - lags)
    return _run_out(unbiased + mean_variance(first, sessions=length), length=length)


def mean_variance(gamma: Float1D, *, sessions: int) -> float:
    """Return the variance of the mean over a stretch of sessions with these autocovariances.

    V(n) = (γ₀ + 2 Σ_{k<n} (1 − k/n) γ_k) / n.

    Examples
    --------
    >>> mean_variance(np.array([2.0, 0.0, 0.0]), sessions=2)
    1.0
    """
    lags = np.arange(1, min(sessions, len(gamma)))
    return float((gamma[0] + 2.0 * np.sum((1.0 - lags / sessions) * gamma[lags])) / sessions)


def _sample_autocovariances(series: Float1D) -> Float1D:
    length = len(series)
    spectrum = np.fft.rfft(series - series.mean(), 2 * length)
    gamma: Float1D = np.fft.irfft(np.abs(spectrum) ** 2)[:length] / length
    return gamma


def _run_out(gamma: Float1D, *, length: int) -> Float1D:
    coefficients = _yule_walker(gamma, length=length)
    order = len(coefficients)
    full = np.zeros(length)
    full[: order + 1] = gamma[: order + 1]
    for lag in range(order + 1, length if order else 0):
        full[lag] = coefficients @ full[lag - order : lag][::-1]
    return full


def _yule_walker(gamma: Float1D, *, length: int) -> Float1D:
    """Levinson-Durbin recursion over the orders; the coefficients of the order with the least AIC."""
    most = min(int(10 * np.log10(length)), len(gamma) - 1, length // 4)
    coefficients, variance = np.zeros(0), gamma[0]
    best, best_score = coefficients, length * np.log(variance)
    for order in range(1, most + 1):
        reflection = (gamma[order] - coefficients @ gamma[order - 1 : 0 : -1]) / variance
        if abs(reflection) >= 1.0:
            break
        coefficients = np.append(coefficients - reflection * coefficients[::-1], reflection)
        variance *= 1.0 - reflection**2
        score = length * np.log(variance) + 2 * order
        if score < best_score:
            best, best_score = coefficients, score
    return best
