"""What a window asks of the calendar and of the log."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from ordinis_learn.labelling import SessionCalendar, load_calendar, lookback_sessions
from ordinis_learn.records import DatasetWindow

__all__ = ["first_moment", "window_calendar"]

# Ten sessions take two weeks and rarely more than 15 days; the longest closures of an exchange are about two weeks.
_CLOSURE: Final = timedelta(days=14)


def window_calendar(window: DatasetWindow) -> SessionCalendar:
    """Return the sessions that volatilities and labels of a window can reach.

    Raises
    ------
    ConfigInvalid
        There is no such calendar, or it does not reach that far.
    """
    longest = (
        max(window.horizons) if window.barriers is None else max(*window.horizons, window.barriers.sessions)
    )
    return load_calendar(window.calendar, start=_first_day(window), end=window.end + _days(longest + 1))


def first_moment(window: DatasetWindow) -> datetime:
    """Return from when on a window's events are read: as far back as its volatilities remember.

    A session opens less than a day before its date begins in UTC, wherever the venue is.
    """
    return datetime.combine(_first_day(window), time(), tzinfo=UTC) - timedelta(days=1)


def _first_day(window: DatasetWindow) -> date:
    return window.start - _days(lookback_sessions(window.volatility_span))


def _days(sessions: int) -> timedelta:
    return timedelta(days=3 * sessions // 2) + _CLOSURE
