"""Which came first: enough profit, enough loss, or the end of patience. And was the signal's side right.

A signal is entered at the close of the session after its own, like every label here. From then on its return in the
signal's direction is followed, session by session, until it has gained ``profit`` or lost ``stop`` units of
volatility, or ``sessions`` sessions are over. One unit is the volatility per session known at the signal, times the
square root of ``sessions``. Source: López de Prado, *Advances in Financial Machine Learning* (2018), sections 3.4
(barriers) and 3.6 (meta-labels).

Within one session:

1. a bar that opens beyond a barrier has touched it at its open;
2. else a bar whose range holds both barriers has touched the *stop*: nobody knows the order, and the loss is assumed;
3. the price is the barrier's where the bar's range holds it, else (a bar that jumped across, or has nothing but a
   close) the bar's close.

A session without a bar touches nothing. A FLAT signal is followed as if it had been LONG.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.labelling.sessions import TIMESTAMP, Floats, Ints, PriceGrid
from ordinis_learn.labelling.status import LabelStatus, status_column
from ordinis_learn.records import BarrierRule

__all__ = ["BARRIER_COLUMNS", "BARRIER_RULES", "touch_barriers"]

BARRIER_RULES: Final = "ordinis.labels.triple_barrier.v1"
"""The name of this file's rules, for the manifest's ``query_hash``; other rules need another name."""

BARRIER_COLUMNS: Final = (
    "tb_label",
    "meta_label",
    "tb_ret",
    "tb_sessions",
    "tb_end",
    "tb_available_at",
    "tb_status",
)

_PROFIT, _VERTICAL, _STOP = 1, 0, -1


@dataclass(frozen=True, kw_only=True, eq=False)
class _Paths:
    """The signals still under way: their index, row, entry session, side, price paid and barriers."""

    index: Ints
    at: Ints
    entry: Ints
    side: Ints
    paid: Floats
    profit: Floats
    stop: Floats

    def only(self, keep: npt.NDArray[np.bool_]) -> _Paths:
        return _Paths(**{name: values[keep] for name, values in vars(self).items()})


def touch_barriers(
    grid: PriceGrid,
    *,
    at: Ints,
    number: Ints,
    direction: npt.NDArray[np.int8],
    volatility: Floats,
    rule: BarrierRule,
) -> dict[str, pa.Array]:
    """Follow every signal to its first touch.

    Parameters
    ----------
    grid : PriceGrid
        Of the signals' symbols.
    at, number : int64 array, shape (n,)
        Each signal's row of the grid, and its session's number.
    direction : int8 array, shape (n,)
        +1, -1 or 0.
    volatility : float64 array, shape (n,)
        Per session, as known at the signal; NaN where unknown.
    rule : BarrierRule
        Where the barriers are.

    Returns
    -------
    dict of str to pa.Array
        ``tb_label`` (int8: +1 profit first, -1 stop first, 0 neither), ``meta_label`` (int8: 1 where the side earned
        something, else 0; null for FLAT), ``tb_ret`` (return in the signal's direction, as a fraction),
        ``tb_sessions`` (int32, sessions from entry to touch), ``tb_end`` (date32), ``tb_available_at`` and
        ``tb_status``. All but the status is null where there is no label.
    """
    count, last = len(at), grid.sessions + 1
    entry = np.where(number > 0, np.minimum(number + 1, last), last)
    leave = np.minimum(entry + rule.sessions, last)
    label, ret, end = np.zeros(count, dtype=np.int8), np.full(count, np.nan), entry.copy()
    paths = _entered(grid, at=at, entry=entry, direction=direction, volatility=volatility, rule=rule)
    for step in range(1, rule.sessions + 1):
        session = np.minimum(paths.entry + step, last)
        touched, earned = _touch(grid, paths, session=session)
        done = ~np.isnan(earned) & ((touched != _VERTICAL) | (step == rule.sessions))
        index = paths.index[done]
        label[index], ret[index], end[index] = touched[done], earned[done], session[done]
        paths = paths.only(~done)
    known = ~np.isnan(ret)
    reasons = [
        (known, LabelStatus.LABELLED),
        (np.isnan(volatility), LabelStatus.NO_VOLATILITY),
        (grid.is_over[entry] & np.isnan(grid.close[at, entry]), LabelStatus.NO_ENTRY_BAR),
        (grid.is_over[leave] & np.isnan(grid.close[at, leave]), LabelStatus.NO_EXIT_BAR),
    ]
    return {
        "tb_label": pa.array(label, mask=~known),
        "meta_label": pa.array((ret > 0).astype(np.int8), mask=~known | (direction == 0)),
        "tb_ret": pa.array(ret, mask=~known),
        "tb_sessions": pa.array((end - entry).astype(np.int32), mask=~known),
        "tb_end": pa.array(grid.day[end], mask=~known).view(pa.date32()),
        "tb_available_at": pa.array(grid.closed_at[at, end], mask=~known).view(TIMESTAMP),
        "tb_status": status_column(reasons, rows=count),
    }


def _entered(
    grid: PriceGrid,
    *,
    at: Ints,
    entry: Ints,
    direction: npt.NDArray[np.int8],
    volatility: Floats,
    rule: BarrierRule,
) -> _Paths:
    paid = grid.close[at, entry] * (1.0 if grid.growth is None else grid.growth[at, entry])
    index = np.flatnonzero(~np.isnan(paid) & ~np.isnan(volatility))
    unit = volatility[index] * np.sqrt(rule.sessions)
    return _Paths(
        index=index,
        at=at[index],
        entry=entry[index],
        side=np.where(direction[index] < 0, -1, 1),
        paid=paid[index],
        profit=rule.profit * unit,
        stop=-rule.stop * unit,
    )


def _touch(grid: PriceGrid, paths: _Paths, *, session: Ints) -> tuple[Ints, Floats]:
    """Return what each path touched in a session, and its return there; NaN where there is no bar."""
    ended = _earned(grid, grid.close, paths, session)
    began = _earned(grid, grid.open, paths, session)
    one, other = _earned(grid, grid.high, paths, session), _earned(grid, grid.low, paths, session)
    best = np.fmax(np.fmax(one, other), ended)
    worst = np.fmin(np.fmin(one, other), ended)
    profit, stop = paths.profit, paths.stop
    touched = np.select(
        [began <= stop, began >= profit, worst <= stop, best >= profit],
        [_STOP, _PROFIT, _STOP, _PROFIT],
        default=_VERTICAL,
    )
    level = np.where(touched == _PROFIT, profit, stop)
    within = (worst <= level) & (level <= best)
    at_open = (began <= stop) | (began >= profit)
    earned = np.where(touched == _VERTICAL, ended, np.where(at_open, began, np.where(within, level, ended)))
    return touched, np.where(np.isnan(ended), np.nan, earned)


def _earned(grid: PriceGrid, prices: Floats | None, paths: _Paths, session: Ints) -> Floats:
    """Return each path's return at one of a session's prices, NaN where it was not told."""
    if prices is None:
        return np.full(len(session), np.nan)
    value = prices[paths.at, session]
    if grid.growth is not None:
        value *= grid.growth[paths.at, session]
    return paths.side * (value / paths.paid - 1.0)
