"""How long a series of sessions remembers, from an autoregression fitted to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.signal import lfilter, lfiltic

from ordinis_learn.drift.binning import Float1D, Float2D

__all__ = ["Autoregression", "autocovariances", "fit_autoregression", "mean_variance"]

_TINY: Final = float(np.finfo(np.float64).tiny)
_LEAD: Final = 500
"""Sessions that a simulated process runs before it is looked at."""


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
    corrected = _corrected(series)
    return np.zeros(len(series)) if corrected is None else _run_out(corrected, length=len(series))


@dataclass(frozen=True, kw_only=True, eq=False)
class Autoregression:
    """x_t − mean = Σ_i coefficients_i (x_{t−i} − mean) + e_t, and what the e_t looked like.

    Attributes
    ----------
    mean : float
    coefficients : float64 array, shape (p,)
        Of a stationary process; none for white noise.
    innovations : float64 array, shape (T − p,)
        The e_t of the series, centred, scaled to the variance of the fit: their tails are those of the series.
    """

    mean: float
    coefficients: Float1D
    innovations: Float1D

    def simulate(self, *, draws: int, sessions: int, rng: np.random.Generator) -> Float2D:
        """Draw series of such a process that begin in its stationary state, shape (draws, sessions).

        Innovations are drawn with replacement (the sieve bootstrap of Bühlmann 1997).
        """
        lead = _LEAD if len(self.coefficients) else 0
        drawn = rng.choice(self.innovations, size=(draws, lead + sessions))
        if lead:
            drawn = lfilter([1.0], np.append(1.0, -self.coefficients), drawn, axis=1)[:, lead:]
        series: Float2D = drawn + self.mean
        return series


def fit_autoregression(series: Float1D) -> Autoregression:
    """Fit the autoregression behind :func:`autocovariances`.

    Parameters
    ----------
    series : float64 array, shape (T,)
        One finite value per session, T ≥ 2.

    References
    ----------
    Bühlmann, P. (1997), Sieve bootstrap for time series, Bernoulli 3 (2).

    Examples
    --------
    >>> fit = fit_autoregression(np.random.default_rng(0).standard_normal(400))
    >>> fit.simulate(draws=3, sessions=5, rng=np.random.default_rng(1)).shape
    (3, 5)
    """
    corrected = _corrected(series)
    centred = series - series.mean()
    if corrected is None:
        return Autoregression(mean=float(series.mean()), coefficients=np.zeros(0), innovations=centred)
    coefficients, variance = _yule_walker(corrected, length=len(series))
    residuals = lfilter(np.append(1.0, -coefficients), [1.0], centred)[len(coefficients) :]
    residuals -= residuals.mean()
    scale = np.sqrt(variance / max(float(residuals @ residuals) / len(residuals), _TINY))
    return Autoregression(mean=float(series.mean()), coefficients=coefficients, innovations=residuals * scale)


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


def _corrected(series: Float1D) -> Float1D | None:
    """Return autocovariances at short lags without the bias of the removed mean; None for a constant series."""
    length = len(series)
    raw = _sample_autocovariances(series)
    if raw[0] <= _TINY:
        return None
    first = _run_out(raw, length=length)
    lags = np.arange(max(length // 2, 1))
    unbiased = raw[: len(lags)] * length / (length - lags)
    return unbiased + mean_variance(first, sessions=length)


def _sample_autocovariances(series: Float1D) -> Float1D:
    length = len(series)
    spectrum = np.fft.rfft(series - series.mean(), 2 * length)
    gamma: Float1D = np.fft.irfft(np.abs(spectrum) ** 2)[:length] / length
    return gamma


def _run_out(gamma: Float1D, *, length: int) -> Float1D:
    coefficients, _ = _yule_walker(gamma, length=length)
    order = len(coefficients)
    full = np.zeros(length)
    full[: order + 1] = gamma[: order + 1]
    if order and length > order + 1:
        recursion = np.append(1.0, -coefficients)
        known = lfiltic([1.0], recursion, y=full[order:0:-1])
        full[order + 1 :], _ = lfilter([1.0], recursion, np.zeros(length - order - 1), zi=known)
    return full


def _yule_walker(gamma: Float1D, *, length: int) -> tuple[Float1D, float]:
    """Levinson-Durbin recursion over the orders; coefficients and innovation variance of the order with the least AIC."""
    most = min(int(10 * np.log10(length)), len(gamma) - 1, length // 4)
    coefficients, variance = np.zeros(0), float(gamma[0])
    best, best_score = (coefficients, variance), length * np.log(variance)
    for order in range(1, most + 1):
        reflection = (gamma[order] - coefficients @ gamma[order - 1 : 0 : -1]) / variance
        if abs(reflection) >= 1.0:
            break
        coefficients = np.append(coefficients - reflection * coefficients[::-1], reflection)
        variance *= 1.0 - reflection**2
        score = length * np.log(variance) + 2 * order
        if score < best_score:
            best, best_score = (coefficients, variance), score
    return best
