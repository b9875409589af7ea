"""When an exchange is open: sessions, with their holidays and early closes.

A horizon counts sessions of the calendar, never days that happen to have been captured: a lost day of bars makes
labels missing, it does not stretch them. The calendars are those of the package ``exchange_calendars`` (``XNYS``,
``XLON``, ...; ``24/7`` for what never closes, ``24/5`` for every weekday).
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import hash_of

__all__ = ["SessionCalendar", "load_calendar"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SessionCalendar:
    """The sessions of one exchange over a stretch of time, numbered from 1.

    Attributes
    ----------
    name : str
        As ``exchange_calendars`` calls it.
    day : int64 array, shape (sessions,)
        Dates as days since 1970, strictly increasing.
    opens, closes : int64 array, shape (sessions,)
        Microseconds since 1970 (UTC). A session opens no earlier than the one before has closed. On a half day the
        close is earlier.
    """

    name: str
    day: Ints
    opens: Ints
    closes: Ints

    def __post_init__(self) -> None:
        if not len(self.day) == len(self.opens) == len(self.closes):
            raise ValueError("day, opens and closes must have one length")
        moments = np.column_stack((self.opens, self.closes)).ravel()
        if np.any(np.diff(self.day) <= 0) or np.any(np.diff(moments) < 0):
            raise ValueError("sessions must follow each other")

    def __len__(self) -> int:
        return len(self.day)

    def content_hash(self) -> str:
        """Return a hash of the name and of every session; another release of the calendar may have another."""
        sessions = hashlib.sha256(
            np.column_stack((self.day, self.opens, self.closes)).astype("<i8").tobytes()
        )
        return hash_of({"name": self.name, "sessions": sessions.hexdigest()}, domain="ordinis.calendar")

    def numbers_of(self, days: Ints) -> Ints:
        """Return the session number of each date, 0 where it is no session.

        Examples
        --------
        >>> calendar = load_calendar("XNYS", start=date(2020, 12, 24), end=date(2020, 12, 31))
        >>> christmas = (date(2020, 12, 25) - date(1970, 1, 1)).days
        >>> calendar.numbers_of(np.array([christmas - 1, christmas, christmas + 3])).tolist()
        [1, 0, 2]
        """
        at = np.searchsorted(self.day, days)
        found = np.append(self.day, -1)[at] == days if len(self) else np.zeros(len(days), dtype=bool)
        return np.where(found, at + 1, 0)


@lru_cache(maxsize=32)
def load_calendar(name: str, *, start: date, end: date) -> SessionCalendar:
    """Return the sessions from ``start`` to ``end``, both included.

    Raises
    ------
    ConfigInvalid
        There is no such calendar, or it does not reach that far.

    Examples
    --------
    The day after Thanksgiving is a half day, the Thursday itself no session:

    >>> calendar = load_calendar("XNYS", start=date(2019, 11, 27), end=date(2019, 11, 29))
    >>> [f"{close.astype('datetime64[us]')}"[:16] for close in calendar.closes]
    ['2019-11-27T21:00', '2019-11-29T18:00']
    """
    from exchange_calendars import errors, get_calendar

    asked = f"read the calendar {name} from {start} to {end}"
    try:
        with warnings.catch_warnings():
            # exchange_calendars 4.13 reads Series.values, which pandas 3.1 deprecates for aware times.
            warnings.simplefilter("ignore")
            schedule = get_calendar(name, start=str(start), end=str(end)).schedule
    except errors.InvalidCalendarName as error:
        raise ConfigInvalid(
            asked, found=f"no calendar {name!r}", next_step="name one that exists, e.g. XNYS, XLON or 24/7"
        ) from error
    except (errors.CalendarError, ValueError) as error:
        raise ConfigInvalid(
            asked, found=str(error).splitlines()[0], next_step="choose dates that the calendar covers"
        ) from error
    return SessionCalendar(
        name=name,
        day=_integers(schedule.index, "D"),
        opens=_integers(schedule["open"], "us"),
        closes=_integers(schedule["close"], "us"),
    )


def _integers(moments: Any, unit: str) -> Ints:
    return np.asarray(moments.to_numpy(dtype="datetime64[ns]").astype(f"datetime64[{unit}]").astype(np.int64))
