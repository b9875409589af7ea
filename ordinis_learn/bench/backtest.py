"""A vectorised daily backtest with one rule of timing, the same for every model.

A target decided at the close of session t is traded at the close of t + 1 and earns from then on, which is
how labels are entered too. Weights stay constant between trades: the small trades that would hold them there
are neither made nor charged. There is no interest on cash; being short costs what the limits say, by default
nothing. All of this holds for the subject and the baseline alike, so it leaves their comparison fair; it is no
forecast of a real account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import TradingLimits

__all__ = ["USUAL_LIMITS", "BacktestResult", "run_backtest", "targets_from_predictions"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]

USUAL_LIMITS: Final = TradingLimits()
_ROUNDING: Final = 1e-9
_SESSIONS_PER_YEAR: Final = 252


@dataclass(frozen=True, kw_only=True, eq=False)
class BacktestResult:
    """What happened, by session; every array has shape (T,).

    Attributes
    ----------
    returns : float64
        Net return of the session as a fraction of equity; 0 for the first.
    turnover : float64
        Sum over symbols of the absolute change of weight traded at the session's close.
    exposure : float64
        Sum of absolute weights that earned the session's return.
    equity : float64
        Compounded from 1 before the first session; never below 0.
    """

    returns: Float1D
    turnover: Float1D
    exposure: Float1D
    equity: Float1D


def run_backtest(
    close: Float2D,
    target: Float2D,
    *,
    fee_bps: float,
    slippage_bps: float,
    limits: TradingLimits = USUAL_LIMITS,
) -> BacktestResult:
    """Trade target weights on daily closes.

    ``held[t] = target[t-1]`` and ``returns[t] = held[t-1]·r[t] − cost·|held[t] − held[t-1]| − borrow·short[t-1]``, with
    ``cost = (fee_bps + slippage_bps) / 10⁴`` per unit of weight traded, ``short`` the sum of negative weights without
    their sign, and ``borrow = borrow_bps / 10⁴ / 252``.

    Parameters
    ----------
    close : array, shape (T, N)
        Adjusted closes. A NaN cell cannot be traded: the weight stays as it was, its return is 0, and
        the next known close carries the whole move, so that a gap hides no loss. What cannot be sold takes its
        room: the others are then scaled down together, so that the gross limit holds all the same.
    target : array, shape (T, N)
        Weights decided at each close, as fractions of equity; finite and within the limits.
    fee_bps, slippage_bps : float
        Costs in basis points of the traded value; not negative.
    limits : TradingLimits
        Of the gross exposure and of one symbol's, whether anything may be short, and what that costs.

    Raises
    ------
    ConfigInvalid
        Shapes differ, a price is not positive, a target is not finite or outside the limits, a cost is negative.

    Examples
    --------
    Decided at the first close, bought at the second (10 bps), earning from the third:

    >>> close = np.array([[100.0], [110.0], [121.0], [121.0]])
    >>> result = run_backtest(close, np.ones((4, 1)), fee_bps=4.0, slippage_bps=6.0)
    >>> result.returns.round(4).tolist(), result.turnover.tolist()
    ([0.0, -0.001, 0.1, 0.0], [0.0, 1.0, 0.0, 0.0])
    """
    _check(close, target, fee_bps=fee_bps, slippage_bps=slippage_bps, limits=limits)
    known = np.isfinite(close)
    held = _held(target, tradable=known)
    if np.abs(held).sum(axis=1, initial=0.0).max(initial=0.0) > limits.max_gross + _ROUNDING:
        held = _held_within(target, tradable=known, max_gross=limits.max_gross)
    earning = np.vstack([np.zeros_like(held[:1]), held[:-1]])
    turnover = np.abs(held - earning).sum(axis=1)
    gross_returns = (earning * _session_returns(close, known=known)).sum(axis=1)
    short = np.maximum(-earning, 0.0).sum(axis=1)
    returns = gross_returns - (fee_bps + slippage_bps) / 1e4 * turnover
    returns -= limits.borrow_bps / 1e4 / _SESSIONS_PER_YEAR * short
    return BacktestResult(
        returns=returns,
        turnover=turnover,
        exposure=np.abs(earning).sum(axis=1),
        equity=np.cumprod(np.maximum(1.0 + returns, 0.0)),
    )


def targets_from_predictions(
    direction: npt.NDArray[np.int8], *, cadence_sessions: int = 5, limits: TradingLimits = USUAL_LIMITS
) -> Float2D:
    """Turn directions into target weights: an equal slot ``max_gross / N`` per symbol, times the direction.

    A slot is no larger than ``max_position``, and without ``shorts`` a short call is flat.

    Confidence does not size positions. It is not calibrated alike in two models, so sizing by it would
    reward the bolder scale instead of the better call; a model that wants less risk says flat. A slot that
    is flat stays cash and is not lent to the others, so models are also compared on when they stay out.

    Parameters
    ----------
    direction : int array, shape (T, N)
        +1, 0 or −1 as predicted at each close; 0 where there was no prediction.
    cadence_sessions : int
        Decide at sessions 0, cadence, 2·cadence, …; in between the last decision stands.

    Examples
    --------
    >>> targets_from_predictions(
    ...     np.array([[1, -1], [0, 0], [0, 1]], dtype=np.int8), cadence_sessions=2
    ... ).tolist()
    [[0.5, -0.5], [0.5, -0.5], [0.0, 0.5]]
    """
    if cadence_sessions < 1:
        raise ConfigInvalid(
            "turn predictions into targets",
            found=f"a cadence of {cadence_sessions} sessions",
            next_step="decide every session (1) or less often",
        )
    sessions, symbols = direction.shape
    decided_at = np.arange(sessions) // cadence_sessions * cadence_sessions
    slot = np.float64(min(limits.max_gross / max(symbols, 1), limits.max_position))
    wanted = direction if limits.shorts else np.maximum(direction, 0)
    targets: Float2D = wanted[decided_at] * slot
    return targets


def _held(target: Float2D, *, tradable: npt.NDArray[np.bool_]) -> Float2D:
    """Return weights after each close: yesterday's target where the cell trades, else what was held."""
    wanted = np.vstack([np.zeros_like(target[:1]), target[:-1]])
    row = np.where(tradable, np.arange(len(target))[:, None], -1)
    last_trade = np.maximum.accumulate(row, axis=0)
    return np.where(last_trade >= 0, np.take_along_axis(wanted, np.maximum(last_trade, 0), axis=0), 0.0)


def _held_within(target: Float2D, *, tradable: npt.NDArray[np.bool_], max_gross: float) -> Float2D:
    """Return weights as :func:`_held`, with less of what trades where what cannot be sold takes its room."""
    held = np.zeros_like(target)
    for t in range(1, len(target)):
        wanted = np.where(tradable[t], target[t - 1], 0.0)
        kept = np.where(tradable[t], 0.0, held[t - 1])
        gross, room = np.abs(wanted).sum(), max_gross - np.abs(kept).sum()
        # Exactly the wanted weights where they fit: a later gap must not move an earlier digit.
        held[t] = kept + (wanted if gross <= room + _ROUNDING else wanted * (max(room, 0.0) / gross))
    return held


def _session_returns(close: Float2D, *, known: npt.NDArray[np.bool_]) -> Float2D:
    row = np.maximum.accumulate(np.where(known, np.arange(len(close))[:, None], 0), axis=0)
    carried = np.take_along_axis(close, row, axis=0)
    change = np.zeros_like(close)
    change[1:] = carried[1:] / carried[:-1] - 1.0
    return np.where(np.isfinite(change), change, 0.0)


def _check(
    close: Float2D, target: Float2D, *, fee_bps: float, slippage_bps: float, limits: TradingLimits
) -> None:
    faults: dict[str, Any] = {
        f"targets of shape {target.shape} for closes of shape {close.shape}": close.shape != target.shape,
        "a close that is zero or negative": bool((close <= 0).any()),
        "a target that is not a finite number": not bool(np.isfinite(target).all()),
        f"costs of {fee_bps} and {slippage_bps} bps": not (fee_bps >= 0 and slippage_bps >= 0),
    }
    found = [fault for fault, holds in faults.items() if holds]
    if not found and target.size:
        found = _over_limits(target, limits)
    if found:
        raise ConfigInvalid(
            "run a backtest", found="; ".join(found), next_step="correct the targets, closes or costs"
        )


def _over_limits(target: Float2D, limits: TradingLimits) -> list[str]:
    gross, largest = float(np.abs(target).sum(axis=1).max()), float(np.abs(target).max())
    faults = {
        f"a gross exposure of {gross:.4f}, over the limit of {limits.max_gross}": gross
        > limits.max_gross + _ROUNDING,
        f"a position of {largest:.4f}, over the limit of {limits.max_position}": largest
        > limits.max_position + _ROUNDING,
        "a short position, and shorts are off": not limits.shorts and bool((target < 0).any()),
    }
    return [fault for fault, holds in faults.items() if holds]
