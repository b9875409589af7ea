"""When a forecast is large enough to act on."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["worthwhile_direction"]

_BASIS_POINT: Final = 1e-4


def worthwhile_direction(forecast: npt.NDArray[np.float64], *, min_edge_bps: float) -> npt.NDArray[np.int8]:
    """Return the forecast's sign where its size exceeds the edge, 0 elsewhere and for NaN.

    Examples
    --------
    >>> worthwhile_direction(np.array([0.002, -0.002, 0.0005, np.nan]), min_edge_bps=12.0).tolist()
    [1, -1, 0, 0]
    """
    edge = min_edge_bps * _BASIS_POINT
    # NaN compares as false on both sides.
    direction: npt.NDArray[np.int8] = (forecast > edge).astype(np.int8) - (forecast < -edge)
    return direction
