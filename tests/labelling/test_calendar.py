"""Sessions of real exchanges, and bars against them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.labelling import SessionCalendar, load_calendar
from ordinis_learn.market import load_sp500


def days(*dates):
    return np.array([(one - date(1970, 1, 1)).days for one in dates])


def test_the_prices_in_the_package_lie_on_xnys_sessions_day_for_day():
    sessions = load_sp500().sessions.astype(np.int64)
    calendar = load_calendar("XNYS", start=date(1990, 1, 2), end=date(2022, 12, 28))
    assert calendar.day.tolist() == sessions.tolist()


def test_holidays_and_half_days():
    calendar = load_calendar("XNYS", start=date(2019, 11, 25), end=date(2019, 12, 2))
    numbers = calendar.numbers_of(
        days(date(2019, 11, 27), date(2019, 11, 28), date(2019, 11, 29), date(2019, 11, 30))
    )
    assert numbers.tolist() == [3, 0, 4, 0]
    closes = [datetime.fromtimestamp(close / 1e6, UTC).hour for close in calendar.closes.tolist()]
    assert closes == [21, 21, 21, 18, 21]


def test_crypto_never_closes():
    calendar = load_calendar("24/7", start=date(2021, 1, 1), end=date(2021, 1, 31))
    assert len(calendar) == 31
    assert (calendar.opens[1:] == calendar.closes[:-1]).all()


def test_a_changed_session_changes_the_hash():
    calendar = load_calendar("XNYS", start=date(2019, 11, 25), end=date(2019, 12, 2))
    again = load_calendar("XNYS", start=date(2019, 11, 25), end=date(2019, 12, 2))
    earlier = SessionCalendar(
        name="XNYS", day=calendar.day, opens=calendar.opens, closes=calendar.closes - np.arange(5)
    )
    renamed = SessionCalendar(name="XNAS", day=calendar.day, opens=calendar.opens, closes=calendar.closes)
    assert calendar.content_hash() == again.content_hash()
    assert len({one.content_hash() for one in (calendar, earlier, renamed)}) == 3


@pytest.mark.parametrize(
    ("name", "start"), [("NOPE", date(2000, 1, 1)), ("XKRX", date(1950, 1, 1))], ids=["name", "reach"]
)
def test_what_no_calendar_has(name, start):
    with pytest.raises(ConfigInvalid) as caught:
        load_calendar(name, start=start, end=date(2001, 12, 31))
    assert caught.value.code == "E_CFG_INVALID"
    assert name in str(caught.value)


def test_sessions_follow_each_other():
    with pytest.raises(ValueError, match="follow"):
        SessionCalendar(name="odd", day=np.array([1, 2]), opens=np.array([0, 5]), closes=np.array([6, 9]))


def test_the_calendar_is_imported_late():
    import subprocess
    import sys

    code = "import sys, ordinis_learn.labelling; print('exchange_calendars' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
