from datetime import date

import numpy as np
import pytest

from ordinis_learn.market import INDEX_SYMBOL, PriceHistory, load_sp500, simulate_history

HISTORY = simulate_history(sessions=30, symbols=3, seed=3)


def test_the_shipped_prices_are_whole():
    history = load_sp500()
    assert history.close.shape == (8313, 20)
    assert np.isfinite(history.close).all()
    assert (history.close > 0).all()
    assert np.isfinite(history.index_close).all()
    assert (history.sessions[0].item(), history.sessions[-1].item()) == (date(1990, 1, 2), date(2022, 12, 28))


def test_a_table_and_back():
    again = PriceHistory.from_table(HISTORY.to_table())
    assert again.symbols == HISTORY.symbols
    np.testing.assert_array_equal(again.sessions, HISTORY.sessions)
    np.testing.assert_array_equal(again.close, HISTORY.close)
    np.testing.assert_array_equal(again.index_close, HISTORY.index_close)
    assert HISTORY.to_table().column_names[-1] == INDEX_SYMBOL


def test_bars_in_any_order_make_the_same_history():
    rows = [
        (session, symbol, close)
        for session, closes in zip(HISTORY.sessions, HISTORY.close, strict=True)
        for symbol, close in zip(HISTORY.symbols, closes, strict=True)
    ]
    np.random.default_rng(1).shuffle(rows)
    session, symbol, close = zip(*rows, strict=True)
    again = PriceHistory.from_bars(session=session, symbol=symbol, close=close)
    np.testing.assert_array_equal(again.close, HISTORY.close)
    assert np.isnan(again.index_close).all()


def test_between_includes_both_ends():
    days = HISTORY.sessions.tolist()
    part = HISTORY.between(days[2], days[4])
    assert part.sessions.tolist() == days[2:5]
    np.testing.assert_array_equal(part.index_close, HISTORY.index_close[2:5])


@pytest.mark.parametrize(
    "change",
    [
        {"sessions": HISTORY.sessions[::-1]},
        {"sessions": np.repeat(HISTORY.sessions[:15], 2)},
        {"close": HISTORY.close[:-1]},
        {"index_close": HISTORY.index_close[:-1]},
    ],
)
def test_a_history_that_cannot_be_is_refused(change):
    fields = {name: getattr(HISTORY, name) for name in ("sessions", "symbols", "close", "index_close")}
    with pytest.raises(ValueError, match=r"expected|increasing"):
        PriceHistory(**fields | change)
