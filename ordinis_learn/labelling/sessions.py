"""Prices laid out over the sessions of a calendar, and where in them a signal stands.

What is known when:

- Sessions are those of an exchange calendar. Bars of days that are no session, and bars told before their session
  has opened, are left out.
- The first bar of a (symbol, session) counts. A restatement does not rewrite what was known.
- A session of a symbol ends at the calendar's close, or with the symbol's own bar where that came earlier (an early
  close that no calendar knew). So an entry is always later than the signal.
- A bar told after the symbol's next session has ended came too late: it is left out. So once the next session is
  over, a bar that is missing stays missing, and nothing known later changes what was made of the others.

The calendar is the one thing that all symbols share, with the moment that the tape has reached.
:func:`first_bars` may run per bucket of symbols and :func:`session_table` over all its answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.labelling.adjustment import cumulative_factors
from ordinis_learn.labelling.calendar import SessionCalendar

__all__ = ["TIMEFRAME", "PriceGrid", "first_bars", "price_grid", "session_table", "stray_bars"]

TIMEFRAME: Final = "1d"
"""``tf`` of the bars that make sessions; bars of other frames are not looked at."""

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
_NEVER: Final = np.iinfo(np.int64).max

_TOLD: Final = ("open", "high", "low", "split_factor", "dividend")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def first_bars(bars: pa.Table, *, calendar: SessionCalendar) -> pa.Table:
    """Return the first daily bar of every symbol and session of the calendar, with a finite close above zero.

    Parameters
    ----------
    bars : pa.Table
        From :func:`ordinis_learn.labelling.bar_columns`, in any order.
    calendar : SessionCalendar
        Bars of other days, and bars told before their session has opened, are left out.

    Returns
    -------
    pa.Table
        In no particular order: symbol, session (date32), closed_at (when it was told), close, and open, high, low,
        split_factor and dividend, those of them that any bar told.
    """
    fit = _fit(bars, calendar)
    if not pc.all(fit, min_count=0).as_py():
        bars = bars.filter(fit)
    rows = _firsts(bars)
    if rows is not None:
        bars = bars.take(rows)
    carried = [name for name in _TOLD if name in bars.column_names]
    told = [name for name in carried if bars[name].null_count < bars.num_rows]
    return bars.select(["symbol", "session", "ts_event", "close", *told]).rename_columns(
        ["symbol", "session", "closed_at", "close", *told]
    )


def stray_bars(bars: pa.Table, *, calendar: SessionCalendar) -> int:
    """Count daily bars of days within the calendar's stretch that are no session of it."""
    days = integers(bars["session"].filter(pc.equal(bars["tf"], TIMEFRAME)))
    if not len(calendar):
        return 0
    within = (days >= calendar.day[0]) & (days <= calendar.day[-1])
    return int(np.count_nonzero(within & (calendar.numbers_of(days) == 0)))


def session_table(prices: pa.Table, *, calendar: SessionCalendar) -> pa.Table:
    """Return the calendar's sessions and what the tape has reached of them.

    Parameters
    ----------
    prices : pa.Table
        From :func:`first_bars`, of all symbols.
    calendar : SessionCalendar
        As there.

    Returns
    -------
    pa.Table
        Ordered by session: session (date32), opens_at, closes_at, and ``is_over``: whether a bar of any symbol was
        told at or after the close of the *next* session. Then no bar of this session will count any more. A
        session's number is its row plus 1.
    """
    told = integers(prices["closed_at"])
    over = np.searchsorted(calendar.closes, told.max(), side="right") - 1 if len(told) else 0
    return pa.table(
        {
            "session": pa.array(calendar.day.astype(np.int32)).view(pa.date32()),
            "opens_at": pa.array(calendar.opens).view(TIMESTAMP),
            "closes_at": pa.array(calendar.closes).view(TIMESTAMP),
            "is_over": pa.array(np.arange(len(calendar)) < over),
        }
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceGrid:
    """Prices by symbol and session number.

    Attributes
    ----------
    symbols : pa.Array
        Ordered; row i of the grids is symbol i. One row more, without any price, stands for every other symbol.
    close, open, high, low : float64 array, shape (symbols + 1, sessions + 2)
        NaN where there is no bar. Column 0 is before the first session, the last one after all of them. ``open``,
        ``high`` and ``low`` are None where no bar told them.
    growth, split : float64 array, same shape, or None where no bar told a split or a dividend
        What one share of before the first session has become by the end of a session, with dividends reinvested
        or (``split``) without. See :mod:`ordinis_learn.labelling.adjustment`.
    closed_at : int64 array, same shape
        When the bar was told, in microseconds since 1970; the largest integer where there is no bar.
    day : int32 array, shape (sessions + 2,)
        Each session's date as days since 1970.
    opens, closes : int64 array, shape (sessions + 2,)
        The calendar's, in microseconds since 1970.
    is_over : bool array, shape (sessions + 2,)
        Whether a bar that is missing stays missing.
    """

    symbols: pa.Array
    close: Floats
    open: Floats | None
    high: Floats | None
    low: Floats | None
    growth: Floats | None
    split: Floats | None
    closed_at: Ints
    day: npt.NDArray[np.int32]
    opens: Ints
    closes: Ints
    is_over: npt.NDArray[np.bool_]

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return len(self.day) - 2

    def numbers(self, moments: Ints, *, at: Ints) -> Ints:
        """Return the number of the last session that had ended at each moment for the symbol in row ``at``."""
        number = np.searchsorted(self.closes[1:-1], moments, side="right")
        return number + (self.closed_at[at, np.minimum(number + 1, self.sessions + 1)] <= moments)

    def row_of(self, symbols: pa.ChunkedArray) -> Ints:
        """Return each symbol's row of the grids."""
        names, codes = ranked(symbols)
        row = pc.fill_null(pc.index_in(names, value_set=self.symbols), len(self.symbols))
        return np.asarray(row, dtype=np.int64).take(codes)

    def grown(self, *, at: Ints, since: Ints, until: Ints) -> Floats | float:
        """Return what one share held from the end of a session has become by the end of another."""
        return 1.0 if self.growth is None else self.growth[at, until] / self.growth[at, since]


def price_grid(prices: pa.Table, *, sessions: pa.Table) -> PriceGrid:
    """Lay the prices of some symbols out over all sessions; bars that came too late are left out.

    Memory is 16 bytes for each symbol and session, whether there is a bar or not, and 8 for each further price.

    Parameters
    ----------
    prices : pa.Table
        From :func:`first_bars`.
    sessions : pa.Table
        From :func:`session_table`, over all symbols.
    """
    symbols, codes = ranked(prices["symbol"])
    number = np.searchsorted(integers(sessions["session"]), integers(prices["session"])) + 1
    shape = (len(symbols) + 1, sessions.num_rows + 2)
    cells = codes, number
    closes = np.append(np.pad(integers(sessions["closes_at"]), (1, 0)), _NEVER)
    closed_at = np.full(shape, _NEVER, dtype=np.int64)
    closed_at[cells] = integers(prices["closed_at"])
    ends = np.minimum(closed_at, closes)
    too_late = np.pad(closed_at[:, :-1] > ends[:, 1:], ((0, 0), (0, 1)))
    closed_at[too_late] = _NEVER

    def laid_out(name: str) -> Floats | None:
        if name not in prices.column_names:
            return None
        grid = np.full(shape, np.nan)
        grid[cells] = prices[name].to_numpy()
        grid[too_late] = np.nan
        return grid

    close = np.full(shape, np.nan)
    close[cells] = prices["close"].to_numpy()
    close[too_late] = np.nan
    growth, split = cumulative_factors(close, split=laid_out("split_factor"), dividend=laid_out("dividend"))
    return PriceGrid(
        symbols=symbols,
        close=close,
        **{name: laid_out(name) for name in ("open", "high", "low")},
        growth=growth,
        split=split,
        closed_at=closed_at,
        day=np.pad(integers(sessions["session"]).astype(np.int32), 1),
        opens=np.append(np.pad(integers(sessions["opens_at"]), (1, 0)), _NEVER),
        closes=closes,
        is_over=np.pad(np.asarray(sessions["is_over"]), 1),
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


def _fit(bars: pa.Table, calendar: SessionCalendar) -> pa.Array:
    """Say which bars are daily, have a price, and were told after their session had opened."""
    close, told = bars["close"], integers(bars["ts_event"])
    number = calendar.numbers_of(integers(bars["session"]))
    opens = np.append(_NEVER, calendar.opens)[number]
    priced = pc.and_(pc.equal(bars["tf"], TIMEFRAME), pc.and_(pc.is_finite(close), pc.greater(close, 0.0)))
    return pc.and_(pc.fill_null(priced, False), pa.array(told >= opens))


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
