"""Long-run covariance of autocorrelated moments: the HAC estimator behind the Ledoit–Wolf test.

Parzen kernel on VAR(1)-prewhitened series with Andrews' automatic bandwidth. Sources: Andrews (1991),
*Econometrica* 59(3), eq. 6.2 and 6.4; Andrews & Monahan (1992), *Econometrica* 60(4); the settings are
those of Ledoit & Wolf (2008), section 3.1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["long_run_covariance"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]

_SINGULAR_LIMIT: Final = 0.97
_PARZEN_CONSTANT: Final = 2.6614
_DEGREES_LOST: Final = 4


def long_run_covariance(series: Float2D) -> Float2D:
    """Estimate the covariance of √T times the mean of a stationary vector series.

    Parameters
    ----------
    series : array, shape (T, K)
        Finite; T well above K. Its mean is removed first.

    Returns
    -------
    array, shape (K, K)
        Symmetric and positive semi-definite, scaled by T/(T − 4).

    Examples
    --------
    An AR(1) with coefficient ½ and unit shocks has the long-run variance 1/(1 − ½)² = 4:

    >>> rng = np.random.default_rng(1)
    >>> x = np.zeros(20_000)
    >>> for t in range(1, len(x)):
    ...     x[t] = 0.5 * x[t - 1] + rng.standard_normal()
    >>> abs(long_run_covariance(x[:, None]).item() - 4.0) < 0.4
    True
    """
    centred = series - series.mean(axis=0)
    transition = _limited(np.linalg.lstsq(centred[:-1], centred[1:], rcond=None)[0].T)
    residual = centred[1:] - centred[:-1] @ transition.T
    white = _parzen_sum(residual, bandwidth=_bandwidth(residual))
    recolour = np.linalg.inv(np.eye(len(transition)) - transition)
    covariance: Float2D = recolour @ white @ recolour.T
    return covariance


def _limited(transition: Float2D) -> Float2D:
    """Clip singular values, so that 1 − A can be inverted without blowing the variance up."""
    left, singular, right = np.linalg.svd(transition)
    limited: Float2D = left @ np.diag(np.minimum(singular, _SINGULAR_LIMIT)) @ right
    return limited


def _bandwidth(residual: Float2D) -> float:
    past, present = residual[:-1], residual[1:]
    power = (past**2).sum(axis=0)
    rho = np.divide((past * present).sum(axis=0), power, out=np.zeros_like(power), where=power > 0)
    rho = np.clip(rho, -_SINGULAR_LIMIT, _SINGULAR_LIMIT)
    fourth = np.mean((present - past * rho) ** 2, axis=0) ** 2
    denominator = float((fourth / (1.0 - rho) ** 4).sum())
    if not denominator > 0:
        return 0.0
    alpha = float((4.0 * rho**2 * fourth / (1.0 - rho) ** 8).sum()) / denominator
    return float(_PARZEN_CONSTANT * (alpha * len(residual)) ** 0.2)


def _parzen_sum(residual: Float2D, *, bandwidth: float) -> Float2D:
    periods = len(residual)
    total: Float2D = residual.T @ residual / periods
    for lag in range(1, min(int(bandwidth), periods - 1) + 1):
        covariance = residual[lag:].T @ residual[:-lag] / periods
        total = total + _parzen(lag / bandwidth) * (covariance + covariance.T)
    return total * (periods / (periods - _DEGREES_LOST))


def _parzen(x: float) -> float:
    return 1.0 - 6.0 * x**2 + 6.0 * x**3 if x <= 0.5 else 2.0 * (1.0 - x) ** 3
