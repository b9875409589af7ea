"""Sessions and prices from daily bars, and where in them a signal stands.

What is known when:

- Sessions are the days of captured daily bars, over all symbols. A session closes when its *first* bar
  closes, so an entry is always later than the signal, even if bars of one session come minutes apart.
- The first bar of a (symbol, session) counts. A restatement does not rewrite what was known.
- A session whose first bar comes only after a later session has closed was not known in time: it is left out.

Sessions are the one thing that all symbols share. :func:`first_bars` may run per bucket of symbols and
:func:`session_table` over all its answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["TIMEFRAME", "PriceGrid", "first_bars", "price_grid", "session_table"]

TIMEFRAME: Final = "1d"
"""``tf`` of the bars that make sessions; bars of other frames are not looked at."""

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
_NEVER: Final = np.iinfo(np.int64).max

Ints = npt.NDArray[np.int64]


def first_bars(bars: pa.Table) -> pa.Table:
    """Return the first daily bar of every symbol and session, with a finite close above zero.

    Parameters
    ----------
    bars : pa.Table
        From :func:`ordinis_learn.labelling.bar_columns`, in any order.

    Returns
    -------
    pa.Table
        In no particular order: symbol, session (date32), closed_at (when it was told) and close.
    """
    close = bars["close"]
    fit = pc.and_(pc.equal(bars["tf"], TIMEFRAME), pc.and_(pc.is_finite(close), pc.greater(close, 0.0)))
    if not pc.all(pc.fill_null(fit, False), min_count=0).as_py():
        bars = bars.filter(fit)
    rows = _firsts(bars)
    if rows is not None:
        bars = bars.take(rows)
    return bars.select(["symbol", "session", "ts_event", "close"]).rename_columns(
        ["symbol", "session", "closed_at", "close"]
    )


def session_table(prices: pa.Table) -> pa.Table:
    """Return the sessions that were known in time.

    Parameters
    ----------
    prices : pa.Table
        From :func:`first_bars`, of all symbols.

    Returns
    -------
    pa.Table
        Ordered by session: session (date32) and closed_at, both increasing. A session's number is its row plus 1.
    """
    told = integers(prices["session"])
    first = int(told.min(initial=0))
    closed = np.full(int(told.max(initial=0)) - first + 1, _NEVER, dtype=np.int64)
    np.minimum.at(closed, told - first, integers(prices["closed_at"]))
    days = np.flatnonzero(closed < _NEVER)
    closed = closed[days]
    ahead = np.append(np.minimum.accumulate(closed[::-1])[::-1][1:], _NEVER)
    in_time = closed < ahead
    return pa.table(
        {
            "session": pa.array((days + first)[in_time].astype(np.int32)).view(pa.date32()),
            "closed_at": pa.array(closed[in_time]).view(TIMESTAMP),
        }
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceGrid:
    """Closes by symbol and session number.

    Attributes
    ----------
    symbols : pa.Array
        Ordered; row i of the grids is symbol i. One row more, without any price, stands for every other symbol.
    close : float64 array, shape (symbols + 1, sessions + 2)
        NaN where there is no bar. Column 0 is before the first session, the last one after all of them.
    closed_at : int64 array, same shape
        Microseconds since 1970; anything where there is no bar.
    day, opened : int32 and int64 array, shape (sessions + 2,)
        Each session's date as days since 1970, and when its first bar closed.
    """

    symbols: pa.Array
    close: npt.NDArray[np.float64]
    closed_at: Ints
    day: npt.NDArray[np.int32]
    opened: Ints

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return len(self.day) - 2

    def numbers(self, moments: Ints) -> Ints:
        """Return the number of the last session closed at each moment, 0 before the first."""
        return np.searchsorted(self.opened[1:-1], moments, side="right")

    def row_of(self, symbols: pa.ChunkedArray) -> Ints:
        """Return each symbol's row of the grids."""
        names, codes = ranked(symbols)
        row = pc.fill_null(pc.index_in(names, value_set=self.symbols), len(self.symbols))
        return np.asarray(row, dtype=np.int64).take(codes)


def price_grid(prices: pa.Table, *, sessions: pa.Table) -> PriceGrid:
    """Lay the prices of some symbols out over all sessions; bars of other days are left out.

    Memory is 16 bytes for each symbol and session, whether there is a bar or not.
    """
    symbols, codes = ranked(prices["symbol"])
    days = integers(sessions["session"])
    told = integers(prices["session"])
    number = np.searchsorted(days, told)
    known = number < len(days)
    known[known] = days[number[known]] == told[known]
    shape = (len(symbols) + 1, len(days) + 2)
    close, closed_at = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    cells = codes[known], number[known] + 1
    close[cells] = prices["close"].to_numpy()[known]
    closed_at[cells] = integers(prices["closed_at"])[known]
    return PriceGrid(
        symbols=symbols,
        close=close,
        closed_at=closed_at,
        day=np.pad(days.astype(np.int32), 1),
        opened=np.pad(integers(sessions["closed_at"]), 1),
    )


def ranked(column: pa.ChunkedArray) -> tuple[pa.Array, Ints]:
    """Return the distinct strings in order of their bytes, and each row's place among them."""
    whole = column.combine_chunks()
    named = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    order = pc.sort_indices(named.dictionary)
    place = np.empty(len(order), dtype=np.int64)
    place[np.asarray(order)] = np.arange(len(order))
    return named.dictionary.take(order), place.take(np.asarray(named.indices))


def integers(column: pa.ChunkedArray) -> Ints:
    """Return dates or timestamps without nulls as the integers they are stored as."""
    width = pa.int32() if pa.types.is_date32(column.type) else pa.int64()
    return np.array(column.combine_chunks().view(width), dtype=np.int64)


def _firsts(bars: pa.Table) -> pa.Array | None:
    """Return the row of the first bar of each symbol and session, by (ts_event, event_id); None where all are."""
    symbols, codes = ranked(bars["symbol"])
    days = integers(bars["session"])
    days -= days.min(initial=0)
    width = int(days.max(initial=0)) + 1
    key = codes * width + days
    if np.bincount(key, minlength=len(symbols) * width).max(initial=0) <= 1:
        return None
    keyed = pa.table({"key": key, "ts_event": bars["ts_event"], "event_id": bars["event_id"]})
    by: Any = [(name, "ascending") for name in keyed.column_names]
    order = pc.sort_indices(keyed, sort_keys=by)
    ordered = key[np.asarray(order)]
    return order.filter(pa.array(np.append(True, ordered[1:] != ordered[:-1])))
