"""When the daily drift check is due, and whether one was missed: by sessions, because hours are false at weekends and holidays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from ordinis_learn.labelling.calendar import load_calendar

__all__ = ["CLOCKS_DIFFER", "DRIFT_JOB", "Due", "Schedule"]

DRIFT_JOB: Final = "drift"
"""The job whose heartbeat the dead-man's switch listens to."""
CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""A sign of life from the future, by more than this, is none: a clock has jumped."""
_LOOK_BACK: Final = timedelta(days=14)
_LONGEST: Final = timedelta(days=400)


@dataclass(frozen=True, kw_only=True)
class Due:
    """A session, and when its check is due."""

    session: date
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The sessions of a calendar, each of whose checks is due a while after its close.

    Examples
    --------
    Friday's check at 21:30 was the last one that was due before Monday's close:

    >>> schedule = Schedule(calendar="XNYS", delay=timedelta(minutes=30))
    >>> friday = datetime(2026, 1, 9, 21, 35, tzinfo=UTC)
    >>> schedule.missed(since=friday, now=datetime(2026, 1, 12, 21, 0, tzinfo=UTC), grace=timedelta(hours=2))
    >>> schedule.missed(
    ...     since=friday, now=datetime(2026, 1, 12, 23, 30, tzinfo=UTC), grace=timedelta(hours=2)
    ... ).session
    datetime.date(2026, 1, 12)
    >>> schedule.first_after(friday, now=friday).at.isoformat()
    '2026-01-12T21:30:00+00:00'
    """

    calendar: str
    delay: timedelta

    def newest(self, *, now: datetime) -> Due | None:
        """Return the newest session whose check is due by now; None where none was in the last fortnight.

        Raises
        ------
        ConfigInvalid
            There is no such calendar, or it does not reach to now.
        """
        found = [due for due in self._between(now - _LOOK_BACK, now) if due.at <= now]
        return found[-1] if found else None

    def first_after(self, moment: datetime, *, now: datetime) -> Due | None:
        """Return the first session whose check is due after a moment; None where none is within a fortnight from now."""
        since = max(moment, now - _LONGEST)  # a clock that stood at 1970 asks for no calendar of 1970
        return next((due for due in self._between(since, now + _LOOK_BACK) if due.at > since), None)

    def missed(self, *, since: datetime, now: datetime, grace: timedelta) -> Due | None:
        """Return the newest session whose check has been due for longer than ``grace`` and was not made ``since`` then."""
        due = self.newest(now=now - grace)
        return due if due is not None and due.at > since else None

    def _between(self, first: datetime, last: datetime) -> list[Due]:
        start = (first - self.delay).astimezone(UTC).date() - timedelta(days=1)
        sessions = load_calendar(self.calendar, start=start, end=last.astimezone(UTC).date())
        days = sessions.day.astype("datetime64[D]").astype(object)
        closes = sessions.closes.astype("datetime64[us]").astype(object)
        return [
            Due(session=day, at=close.replace(tzinfo=UTC) + self.delay)
            for day, close in zip(np.atleast_1d(days), np.atleast_1d(closes), strict=True)
        ]
