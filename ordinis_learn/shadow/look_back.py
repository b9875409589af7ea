"""A symbol's features some sessions before an event, out of the log that held the event.

They are those that a dataset's row would have (:mod:`ordinis_learn.datasets.history`): of the symbol's first event of exactly
that session, by the exchange's calendar, and missing where there is none. What is known when: only events at or before
the event's own position of the log are looked at. So a value does not depend on how the log was cut into chunks, nor
on whether it is read live or years later, and there is no state that a killed runner could lose.

A dataset is built once, when the late events of its window have come; what was late to the shadow is missing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.labelling.calendar import SessionCalendar, load_calendar
from ordinis_learn.shadow.first_told import FirstTold

__all__ = ["Told", "ToldBars", "earlier_rows", "reach_of", "sessions_around"]

Ints = npt.NDArray[np.int64]

_MOST_SESSIONS: Final = 1 << 24
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400_000_000
_EARLIEST: Final = 1900
# An event of a nonsensical date has no session; it must not make the calendar as long as its date is wrong.
_FIRST, _LAST = (
    int((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds() * 1e6) for year in (1960, 2200)
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """n events in order of their time: where they stand in the log, when they happened (microseconds, UTC), whose they are."""

    position: Ints
    ts_event: Ints
    symbol: Sequence[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ToldBars(Told):
    """Daily bars with a price; ``day`` is the session's date, as days since 1970."""

    day: Ints


def sessions_around(ts_event: Ints, *, back: int, calendar: str) -> SessionCalendar:
    """Return the sessions that events and as many sessions before them can fall into, in whole years."""
    sane = ts_event[_sane(ts_event)]
    first, last = (sane.min(), sane.max()) if len(sane) else (_FIRST, _FIRST)
    begin = date(1970, 1, 1) + timedelta(days=int(first // _DAY) - 2 * back - 21)
    end = date(1970, 1, 1) + timedelta(days=int(last // _DAY) + 21)
    # Whole years: a calendar is remembered by its ends, and takes a tenth of a second to make.
    return load_calendar(calendar, start=date(max(begin.year, _EARLIEST), 1, 1), end=date(end.year, 12, 31))


def reach_of(ts_event: Ints, *, back: int, calendar: SessionCalendar) -> datetime:
    """Return the moment from which on events matter: where the session opens that lies so many before the first event's."""
    sane = ts_event[_sane(ts_event)]
    first = int(np.searchsorted(calendar.closes, sane.min() if len(sane) else _FIRST, side="right")) - 1
    return _EPOCH + timedelta(microseconds=int(calendar.opens[max(first - back, 0)]))


def earlier_rows(
    asked: Told, told: Told, *, bars: ToldBars, ago: Sequence[int], calendar: SessionCalendar
) -> list[Ints]:
    """Return, for each number of sessions ago, the row of ``told`` that speaks for each event asked about; −1 without one."""
    names = np.unique(np.array([*asked.symbol, *told.symbol, *bars.symbol], dtype=object))
    ended = _Ended(bars, names=names, calendar=calendar)
    key = _keys(told, names=names, number=ended.numbers(told))
    known = np.flatnonzero(key >= 0)
    index = FirstTold(key[known], position=told.position[known])
    wanted = _keys(asked, names=names, number=ended.numbers(asked))
    found = []
    for sessions in ago:
        rows = index.rows(np.where(wanted >= 0, wanted - sessions, -1), position=asked.position)
        found.append(np.where(rows >= 0, np.append(known, -1)[rows], -1))
    return found


class _Ended:
    """Which session had ended for a symbol at a moment, as datasets count.

    At the calendar's close, or with the symbol's own bar where that was told earlier (an early close that no calendar knew).
    """

    def __init__(self, bars: ToldBars, *, names: npt.NDArray[np.object_], calendar: SessionCalendar) -> None:
        number = calendar.numbers_of(bars.day)
        begun = (number > 0) & (bars.ts_event >= np.append(calendar.opens, 0)[number - 1])
        key = _keys(bars, names=names, number=number)
        self._names = names
        self._calendar = calendar
        self._told = bars.ts_event[begun]
        self._bars = FirstTold(key[begun], position=bars.position[begun])

    def numbers(self, events: Told) -> Ints:
        """Return the session's number for each event, counted from 1; 0 where the calendar knows none."""
        number = np.searchsorted(self._calendar.closes, events.ts_event, side="right").astype(np.int64)
        next_one = _keys(events, names=self._names, number=number + 1)
        bar = self._bars.rows(next_one, position=events.position)
        told = np.append(self._told, np.iinfo(np.int64).max)[bar]
        return np.where(_sane(events.ts_event), number + (told <= events.ts_event), 0)


def _keys(events: Told, *, names: npt.NDArray[np.object_], number: Ints) -> Ints:
    """Return a number per (symbol, session) such that ``key - k`` is the same symbol k sessions ago; −1 without a session."""
    symbol = np.searchsorted(names, np.array(events.symbol, dtype=object)).astype(np.int64)
    return np.where(number > 0, symbol * _MOST_SESSIONS + number + _MOST_SESSIONS // 2, -1)


def _sane(ts_event: Ints) -> npt.NDArray[np.bool_]:
    return np.asarray((ts_event >= _FIRST) & (ts_event < _LAST), dtype=np.bool_)
