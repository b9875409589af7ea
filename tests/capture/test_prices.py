from datetime import date

import numpy as np
import pytest

from ordinis_learn.capture import EventRecorder, SqliteEventLog, price_history
from ordinis_learn.errors import DataMissing
from ordinis_learn.market import INDEX_SYMBOL, PriceHistory, replay, simulate_history
from ordinis_learn.testing import InMemoryEventLog

HISTORY = simulate_history(sessions=12, symbols=3, seed=5)
DAYS = HISTORY.sessions.tolist()


@pytest.fixture(params=["sqlite", "memory"])
def log(request, tmp_path, clock):
    made = (
        SqliteEventLog(tmp_path / "e.db", clock=clock)
        if request.param == "sqlite"
        else InMemoryEventLog(clock=clock)
    )
    yield made
    made.close()


@pytest.fixture
def captured(log):
    EventRecorder(log).record_events(replay(HISTORY, seed=1))
    return log


def same(one: PriceHistory, other: PriceHistory) -> bool:
    return (
        one.symbols == other.symbols
        and np.array_equal(one.sessions, other.sessions)
        and np.array_equal(one.close, other.close, equal_nan=True)
        and np.array_equal(one.index_close, other.index_close, equal_nan=True)
    )


def test_captured_prices_are_the_replayed_ones_bit_for_bit(captured):
    assert same(price_history(captured), HISTORY)


def test_both_ends_are_inside(captured):
    assert same(price_history(captured, start=DAYS[3], end=DAYS[7]), HISTORY.between(DAYS[3], DAYS[7]))
    assert same(price_history(captured, start=DAYS[3]), HISTORY.between(DAYS[3], DAYS[-1]))
    assert same(price_history(captured, end=DAYS[3]), HISTORY.between(DAYS[0], DAYS[3]))


def test_a_position_pins_what_was_known(log):
    recorder = EventRecorder(log)
    recorder.record_events(replay(HISTORY, seed=1, end=DAYS[5]))
    position = log.position()
    recorder.record_events(replay(HISTORY, seed=1, start=DAYS[6]))
    assert same(price_history(log, until_position=position), HISTORY.between(DAYS[0], DAYS[5]))
    assert same(price_history(log), HISTORY)


def test_a_missing_bar_is_nan(log):
    close = HISTORY.close.copy()
    close[4, 1] = np.nan
    holed = PriceHistory(
        sessions=HISTORY.sessions, symbols=HISTORY.symbols, close=close, index_close=HISTORY.index_close
    )
    EventRecorder(log).record_events(replay(holed, seed=1))
    assert same(price_history(log), holed)


def test_a_restatement_does_not_rewrite_what_was_known(log, bar):
    later = bar("late", ts_event="2024-01-02T23:00:00Z", payload={"close": 61.0})
    first = bar("first", payload={"close": 60.0})
    EventRecorder(log).record_events([later, first, bar("hourly", payload={"tf": "1h", "close": 1.0})])
    history = price_history(log)
    assert history.close.tolist() == [[60.0]]
    assert history.symbols == ("KO",)
    assert np.isnan(history.index_close).all()


@pytest.mark.parametrize(
    "bounds", [{}, {"start": date(2024, 1, 3)}, {"end": date(2024, 1, 1)}, {"until_position": 0}]
)
def test_no_daily_bar_is_data_missing(log, bar, bounds):
    EventRecorder(log).record_events([bar()] if bounds else [bar(payload={"tf": "1h"})])
    with pytest.raises(DataMissing) as caught:
        price_history(log, **bounds)
    assert "record" in caught.value.next_step


def test_the_index_is_no_symbol(captured):
    assert INDEX_SYMBOL not in price_history(captured).symbols
