"""What the index did over a window, in the words of the benchmark specification.

The tags describe a window after the fact. They sort windows into a table; no model ever sees them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Regime

__all__ = ["VolatilityScale", "tag_window", "volatility_scale"]

Float1D = npt.NDArray[np.float64]

_TREND: Final = 0.10
_BULL_DRAWDOWN: Final = 0.10
_BEAR_DRAWDOWN: Final = 0.20
_FLAT: Final = 0.05
_SPIKE_PERCENTILE: Final = 90.0


@dataclass(frozen=True, kw_only=True)
class VolatilityScale:
    """What is usual for windows of one length: standard deviations of daily log returns, not annualised."""

    median: float
    percentile_90: float


def volatility_scale(index_close: Float1D, *, sessions: int) -> VolatilityScale:
    """Measure the volatility of every window of a length, to say what is low and what is a spike.

    Parameters
    ----------
    index_close : array, shape (T,)
        The index over the span that windows are drawn from; finite and positive.
    sessions : int
        Length of the windows: that many returns, at least 2.

    Examples
    --------
    >>> calm, wild = np.full(60, 0.001), np.tile([0.03, -0.03], 10)
    >>> close = 100 * np.exp(np.cumsum(np.concatenate([calm, wild])))
    >>> scale = volatility_scale(close, sessions=10)
    >>> scale.median < scale.percentile_90
    True
    """
    log_return = np.diff(np.log(index_close))
    if not 2 <= sessions <= len(log_return):
        raise ConfigInvalid(
            f"measure volatility over windows of {sessions} sessions",
            found=f"{len(log_return)} returns",
            next_step="give a longer index history or shorter windows (at least 2 sessions)",
        )
    deviations = np.lib.stride_tricks.sliding_window_view(log_return, sessions).std(axis=1, ddof=1)
    return VolatilityScale(
        median=float(np.median(deviations)), percentile_90=float(np.percentile(deviations, _SPIKE_PERCENTILE))
    )


def tag_window(index_path: Float1D, *, scale: VolatilityScale) -> tuple[Regime, ...]:
    """Name the regimes that hold over one window; several may, and MIXED stands for none.

    BULL: return above +10 % with a drawdown below 10 %. BEAR: return below −10 %, or a drawdown above
    20 %. SIDEWAYS: return within ±5 % and volatility below the median. VOL_SPIKE: volatility above the
    90th percentile. Thresholds are those of the benchmark specification (L2-26).

    Parameters
    ----------
    index_path : array, shape (sessions + 1,)
        Index closes from the session *before* the window to its last, so that the first session's
        return belongs to the window, as it does in the backtest.
    scale : VolatilityScale
        What is usual for windows of this length.

    Examples
    --------
    >>> usual = VolatilityScale(median=0.01, percentile_90=0.02)
    >>> [str(tag) for tag in tag_window(np.array([100.0, 104.0, 112.0]), scale=usual)]
    ['BULL', 'VOL_SPIKE']
    >>> [str(tag) for tag in tag_window(np.array([100.0, 107.0, 107.0, 107.0]), scale=usual)]
    ['VOL_SPIKE']
    >>> [str(tag) for tag in tag_window(np.array([100.0, 103.0, 107.0]), scale=usual)]
    ['MIXED']
    """
    total = float(index_path[-1] / index_path[0] - 1.0)
    drawdown = float(np.max(1.0 - index_path / np.maximum.accumulate(index_path)))
    volatility = float(np.diff(np.log(index_path)).std(ddof=1))
    holds = {
        Regime.BULL: total > _TREND and drawdown < _BULL_DRAWDOWN,
        Regime.BEAR: total < -_TREND or drawdown > _BEAR_DRAWDOWN,
        Regime.SIDEWAYS: abs(total) < _FLAT and volatility < scale.median,
        Regime.VOL_SPIKE: volatility > scale.percentile_90,
    }
    return tuple(regime for regime, held in holds.items() if held) or (Regime.MIXED,)
