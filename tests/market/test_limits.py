import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.market.book import Book
from ordinis_learn.market.limits import DeskParameters, Verdict, judge
from ordinis_learn.market.opinions import Opinion

DESK = DeskParameters()
CLOSE = 10.0


def book_holding(quantity, *, cash=100_000.0):
    book = Book(["KO"], cash=cash + quantity * CLOSE, drawdown_sessions=252)
    book.trade(0, quantity=quantity, price=CLOSE, fee=0.0)
    book.mark([CLOSE])
    return book


def verdict(book, *, direction=1, confidence=0.5, volatility=0.2, desk=DESK):
    opinion = Opinion(direction=direction, confidence=confidence, volatility=volatility)
    return judge(desk, book=book, symbol=0, close=CLOSE, opinion=opinion)


def test_a_wish_is_confidence_times_the_full_weight():
    assert verdict(book_holding(0)) == Verdict(change=500)
    assert verdict(book_holding(0), direction=-1) == Verdict(change=-500)


def test_an_order_is_the_difference_to_what_is_held():
    book = book_holding(200, cash=100_000.0 - 2_000.0)
    assert verdict(book).change == int(0.05 * book.equity / CLOSE) - 200
    assert verdict(book, direction=-1).change == -int(0.05 * book.equity / CLOSE) - 200


def test_a_small_change_is_not_worth_trading_but_a_turn_is():
    lazy = DeskParameters(rebalance_band=0.04)
    assert verdict(book_holding(200), desk=lazy).change == 0
    assert verdict(book_holding(50), desk=lazy).change > 0
    assert verdict(book_holding(-1), desk=lazy, confidence=0.01).change > 0
    assert verdict(book_holding(0), desk=lazy, confidence=0.01).change > 0


@pytest.mark.parametrize("side", [1, -1])
def test_the_cap_cuts_a_new_position_and_denies_more_of_a_held_one(side):
    new = verdict(book_holding(0), direction=side, confidence=0.9)
    assert (new.change, new.target_weight) == (side * 800, side * 0.08)
    held = book_holding(side * 900)
    assert verdict(held, direction=side, confidence=0.9).reasons == ("RISK.EXPOSURE.SYMBOL_CAP",)
    assert verdict(held, direction=side, confidence=0.5).allowed
    assert verdict(held, direction=-side, confidence=0.9).allowed


def test_a_drawdown_denies_all_but_closing_until_it_is_forgotten():
    book = Book(["KO"], cash=100_000.0, drawdown_sessions=3)
    book.trade(0, quantity=10_000, price=CLOSE, fee=0.0)
    book.mark([8.0])
    assert book.drawdown == pytest.approx(0.2)
    assert verdict(book).reasons == ("RISK.DRAWDOWN.MAX_DRAWDOWN_BREACH",)
    assert verdict(book, direction=0) == Verdict(change=-10_000)
    for _ in range(3):
        book.mark([8.0])
    assert book.drawdown == 0.0
    assert verdict(book).allowed


def test_a_book_without_equity_opens_nothing():
    book = Book(["KO"], cash=1_000.0, drawdown_sessions=1)
    book.trade(0, quantity=-1_000, price=CLOSE, fee=0.0)
    book.mark([20.0])
    assert (book.equity, book.drawdown, book.weight(0)) == (-9_000.0, 1.0, 0.0)
    assert book.snapshot()["exposures"] == {"gross": 0.0, "net": 0.0}
    assert not verdict(book).allowed
    assert verdict(book, direction=0).change == 1_000


@given(
    direction=st.sampled_from([-1, 0, 1]),
    confidence=st.floats(0, 1),
    volatility=st.floats(0, 2),
    held=st.integers(-2_000, 2_000),
)
def test_no_order_leads_beyond_the_cap(direction, confidence, volatility, held):
    book = book_holding(held)
    answer = verdict(book, direction=direction, confidence=confidence, volatility=volatility)
    after = abs(held + answer.change) * CLOSE / book.equity
    assert answer.allowed or answer.change == 0
    assert answer.change == 0 or after <= DESK.symbol_cap + 1e-12
    assert volatility <= DESK.volatility_limit or direction == 0 or not answer.allowed
