"""Whether larger forecasts come before larger returns, and whether they are of the right size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["CalibrationBin", "calibration_bins"]

Float1D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CalibrationBin:
    """Rows with similar forecasts: mean forecast, mean outcome and its standard error, as fractions.

    The error is over sessions, not rows: rows of one session share their market. It takes sessions as independent, so
    with labels longer than the time between decisions it is too small. NaN with fewer than two sessions.
    """

    forecast: float
    outcome: float
    error: float
    rows: int


def calibration_bins(
    forecast: Float1D, *, outcome: Float1D, session: npt.NDArray[np.datetime64], bins: int = 10
) -> list[CalibrationBin]:
    """Group rows by quantiles of the forecast, the lowest first.

    Parameters
    ----------
    forecast, outcome : float64 arrays, shape (n,)
        Finite.
    session : datetime64 array, shape (n,)
    bins : int
        At most so many; equal forecasts stay together, so there may be fewer.

    Examples
    --------
    >>> sessions = np.datetime64("2020-01-01") + np.arange(4)
    >>> found = calibration_bins(
    ...     np.array([0.0, 0.0, 0.1, 0.1]), outcome=np.array([0.0, 0.2, 0.1, 0.3]), session=sessions, bins=2
    ... )
    >>> [(one.forecast, one.outcome, one.rows) for one in found]
    [(0.0, 0.1, 2), (0.1, 0.2, 2)]
    """
    edges = np.unique(np.quantile(forecast, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    group = np.searchsorted(edges, forecast, side="left")
    return [
        _bin(forecast[chosen], outcome=outcome[chosen], session=session[chosen])
        for chosen in (group == one for one in np.unique(group))
    ]


def _bin(forecast: Float1D, *, outcome: Float1D, session: npt.NDArray[np.datetime64]) -> CalibrationBin:
    _, day = np.unique(session, return_inverse=True)
    mean = float(outcome.mean())
    sums = np.bincount(day, outcome - mean)
    days = len(sums)
    spread = np.sqrt(days / (days - 1) * np.sum(sums**2)) / len(outcome) if days > 1 else np.nan
    return CalibrationBin(
        forecast=float(forecast.mean()), outcome=mean, error=float(spread), rows=len(outcome)
    )
