"""A calendar without holidays."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np

from ordinis_learn.labelling import SessionCalendar

__all__ = ["daily_calendar"]

_MINUTE_US: Final = 60_000_000


def daily_calendar(start: date, *, days: int) -> SessionCalendar:
    """Return a calendar on which every day is a session, from 14:30 to 21:00 UTC.

    Examples
    --------
    >>> len(daily_calendar(date(2001, 1, 1), days=7))
    7
    """
    day = np.arange(days) + (start - date(1970, 1, 1)).days
    midnight = day * 24 * 60 * _MINUTE_US
    return SessionCalendar(
        name="daily", day=day, opens=midnight + 870 * _MINUTE_US, closes=midnight + 1260 * _MINUTE_US
    )
