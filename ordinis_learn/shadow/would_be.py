"""What a model would have held, and where the desk's limits would have stopped it. Nothing of it is traded.

The desk's sizes and limits are those of :class:`~ordinis_learn.market.limits.DeskParameters`. The book is simpler than
the simulated desk's: a weight stays until the next decision about its symbol, without costs, drift, bands, rejected or partial
orders. Use :mod:`ordinis_learn.market.desk` for a book to the cent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.market.limits import DeskParameters

__all__ = ["WouldBe", "would_be"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SYMBOL_CAP: Final = "RISK.EXPOSURE.SYMBOL_CAP"
_VOLATILITY: Final = "RISK.VOLATILITY.SYMBOL_LIMIT"
_DRAWDOWN: Final = "RISK.DRAWDOWN.MAX_DRAWDOWN_BREACH"


@dataclass(frozen=True, kw_only=True)
class WouldBe:
    """See :class:`~ordinis_learn.records.SideFigures` for the fields; NaN without a decision."""

    breaches: dict[str, int]
    turnover: float
    gross_mean: float
    gross_max: float
    net_mean: float


def would_be(
    direction: Float1D,
    confidence: Float1D,
    volatility: Float1D,
    *,
    session: Ints,
    symbol: Ints,
    close: Float2D,
    desk: DeskParameters,
) -> WouldBe:
    """Size decisions as the desk would and count what its limits forbid.

    Parameters
    ----------
    direction, confidence, volatility : float64 arrays, shape (n,)
        One decision a row; NaN directions are no decisions, an unknown volatility breaches nothing.
    session, symbol : int64 arrays, shape (n,)
        Rows and columns of ``close``; one row per (session, symbol).
    close : float64 array, shape (T, N)

    Examples
    --------
    >>> found = would_be(
    ...     *np.array([[1.0, -1.0], [1.0, 0.5], [0.2, 0.9]]),
    ...     session=np.array([0, 0]),
    ...     symbol=np.array([0, 1]),
    ...     close=np.ones((3, 2)),
    ...     desk=DeskParameters(),
    ... )
    >>> found.breaches["RISK.EXPOSURE.SYMBOL_CAP"], found.breaches["RISK.VOLATILITY.SYMBOL_LIMIT"]
    (1, 1)
    >>> round(found.gross_mean, 3), round(found.net_mean, 3)
    (0.13, 0.03)
    """
    decided = np.isfinite(direction) & (symbol >= 0) & (session >= 0)
    wish = desk.full_weight * confidence[decided]
    moves = direction[decided] != 0
    breaches = {
        _SYMBOL_CAP: int((moves & (wish > desk.symbol_cap)).sum()),
        _VOLATILITY: int((moves & (volatility[decided] > desk.volatility_limit)).sum()),
        _DRAWDOWN: 0,
    }
    if not decided.any():
        return WouldBe(
            breaches=breaches, turnover=np.nan, gross_mean=np.nan, gross_max=np.nan, net_mean=np.nan
        )
    weight = np.full(close.shape, np.nan)
    weight[session[decided], symbol[decided]] = direction[decided] * np.minimum(wish, desk.symbol_cap)
    held = _held(weight)
    days = np.unique(session[decided])
    at = held[days]
    before = np.vstack([np.zeros((1, close.shape[1])), at[:-1]])
    breaches[_DRAWDOWN] = _sessions_in_drawdown(held[days[0] :], close[days[0] :], desk=desk)
    return WouldBe(
        breaches=breaches,
        turnover=float(np.abs(at - before).sum(axis=1).mean()),
        gross_mean=float(np.abs(at).sum(axis=1).mean()),
        gross_max=float(np.abs(at).sum(axis=1).max()),
        net_mean=float(at.sum(axis=1).mean()),
    )


def _held(weight: Float2D) -> Float2D:
    """Carry each symbol's last decided weight on; 0 before the first."""
    decided_at = np.where(np.isfinite(weight), np.arange(len(weight))[:, None], -1)
    last = np.maximum.accumulate(decided_at, axis=0)
    carried = np.take_along_axis(weight, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, carried, 0.0)


def _sessions_in_drawdown(held: Float2D, close: Float2D, *, desk: DeskParameters) -> int:
    """Count sessions whose loss from the recent peak is over the limit.

    What is decided at a close is held from the next close on, so it earns from the one after.
    """
    if len(close) < 3:
        return 0
    step = close[2:] / close[1:-1] - 1.0
    daily = (held[:-2] * np.where(np.isfinite(step), step, 0.0)).sum(axis=1)
    equity = np.concatenate([[1.0], np.cumprod(1.0 + np.maximum(daily, -1.0))])
    padded = np.concatenate([np.full(desk.drawdown_sessions - 1, equity[0]), equity])
    peak = np.lib.stride_tricks.sliding_window_view(padded, desk.drawdown_sessions).max(axis=1)
    return int((1.0 - equity / peak > desk.drawdown_limit).sum())
