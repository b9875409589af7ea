import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.bench import run_backtest, targets_from_predictions
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import TradingLimits

FREE = {"fee_bps": 0.0, "slippage_bps": 0.0}
COSTLY = {"fee_bps": 3.0, "slippage_bps": 7.0}


def market(seed, *, sessions=40, symbols=3, holes=0.0):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (sessions, symbols)), axis=0))
    close[rng.random(close.shape) < holes] = np.nan
    target = rng.uniform(-1, 1, (sessions, symbols)) / symbols
    return close, target


def by_hand(close, target, *, fee_bps, slippage_bps):
    """Walk session by session with cash and weights: slow, and with no vectorised step in common."""
    sessions, symbols = close.shape
    held = np.zeros(symbols)
    last = np.full(symbols, np.nan)
    returns = []
    for t in range(sessions):
        gain = traded = 0.0
        for n in range(symbols):
            price = close[t, n]
            if np.isnan(price):
                continue
            if not np.isnan(last[n]):
                gain += held[n] * (price / last[n] - 1)
            last[n] = price
            wanted = target[t - 1, n] if t else 0.0
            traded += abs(wanted - held[n])
            held[n] = wanted
        returns.append(gain - (fee_bps + slippage_bps) / 1e4 * traded)
    return np.array(returns)


seeds = st.integers(0, 10_000)


@given(seeds, st.sampled_from([0.0, 0.15]))
def test_it_equals_a_walk_by_hand(seed, holes):
    close, target = market(seed, holes=holes)
    result = run_backtest(close, target, **COSTLY)
    np.testing.assert_allclose(result.returns, by_hand(close, target, **COSTLY), atol=1e-12)


def crowded(seed, *, limits):
    """A market with gaps, and targets that use all the room there is: what cannot be sold is in the way."""
    rng = np.random.default_rng(seed)
    close, _ = market(seed, symbols=4, holes=0.3)
    weights = rng.dirichlet(np.ones(4), len(close)) * limits.max_gross
    signs = rng.choice([-1.0, 1.0] if limits.shorts else [0.0, 1.0], weights.shape)
    return close, np.clip(weights * signs, -limits.max_position, limits.max_position)


kinds_of_limits = st.builds(
    TradingLimits,
    max_gross=st.sampled_from([0.5, 1.0, 2.0]),
    max_position=st.sampled_from([0.3, 1.0]),
    shorts=st.booleans(),
    borrow_bps=st.sampled_from([0.0, 250.0]),
)


@given(seeds, kinds_of_limits)
def test_limits_are_never_exceeded(seed, limits):
    close, target = crowded(seed, limits=limits)
    result = run_backtest(close, target, **COSTLY, limits=limits)
    assert result.exposure.max() <= limits.max_gross + 1e-9
    # One symbol alone shows its own weight as exposure.
    for n in range(close.shape[1]):
        alone = run_backtest(close[:, [n]], target[:, [n]], **COSTLY, limits=limits)
        assert alone.exposure.max() <= limits.max_position + 1e-9


@given(seeds, st.integers(0, 39), kinds_of_limits)
def test_no_limit_knows_a_later_gap(seed, t, limits):
    close, target = crowded(seed, limits=limits)
    filled = close.copy()
    filled[t + 1 :] = np.nan_to_num(filled[t + 1 :], nan=50.0)
    before = run_backtest(close, target, **COSTLY, limits=limits)
    after = run_backtest(filled, target, **COSTLY, limits=limits)
    np.testing.assert_array_equal(before.returns[: t + 1], after.returns[: t + 1])
    np.testing.assert_array_equal(before.turnover[: t + 1], after.turnover[: t + 1])


@given(seeds, st.floats(0.0, 1000.0))
def test_being_short_costs_what_is_short_day_by_day(seed, fee):
    close, target = market(seed)
    paid = run_backtest(close, target, **FREE, limits=TradingLimits(borrow_bps=fee))
    free = run_backtest(close, target, **FREE)
    short = np.vstack([np.zeros((2, 3)), np.maximum(-target, 0.0)[:-2]]).sum(axis=1)
    np.testing.assert_allclose(free.returns - paid.returns, fee / 1e4 / 252 * short, atol=1e-15)
    np.testing.assert_array_equal(free.turnover, paid.turnover)


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"max_gross": 0.5}, "gross exposure"),
        ({"max_position": 0.2}, "a position of"),
        ({"shorts": False}, "shorts are off"),
    ],
)
def test_a_target_outside_the_limits_is_refused(limits, found):
    target = np.array([[0.5, -0.5], [0.0, 0.0]])
    with pytest.raises(ConfigInvalid, match=found):
        run_backtest(np.ones((2, 2)), target, **FREE, limits=TradingLimits(**limits))


def test_calls_are_cut_to_the_limits():
    direction = np.array([[1, -1]], dtype=np.int8)
    small = TradingLimits(max_position=0.1, shorts=False)
    assert targets_from_predictions(direction, limits=small).tolist() == [[0.1, 0.0]]


@given(seeds, st.integers(0, 39))
def test_no_return_knows_a_later_close_or_decision(seed, t):
    close, target = market(seed, holes=0.1)
    later_close, later_target = close.copy(), target.copy()
    later_close[t + 1 :] *= np.random.default_rng(seed).uniform(0.5, 2.0, later_close[t + 1 :].shape)
    later_target[t:] = 0.0  # a target decided at t trades at t + 1
    before = run_backtest(close, target, **COSTLY)
    after = run_backtest(later_close, later_target, **COSTLY)
    np.testing.assert_array_equal(before.returns[: t + 1], after.returns[: t + 1])


def test_a_decision_at_t_cannot_earn_the_move_from_t_to_the_next_close():
    close = np.array([[100.0], [150.0], [150.0], [150.0]])
    result = run_backtest(close, np.array([[1.0], [1.0], [1.0], [1.0]]), **FREE)
    assert result.returns.tolist() == [0.0, 0.0, 0.0, 0.0]


@given(seeds, st.floats(-1, 1), st.floats(-1, 1))
def test_returns_are_linear_in_weights_when_trading_is_free(seed, a, b):
    close, one = market(seed, holes=0.1)
    _, two = market(seed + 1)
    mix = (a * one + b * two) / 2
    both = run_backtest(close, one, **FREE).returns * a / 2 + run_backtest(close, two, **FREE).returns * b / 2
    np.testing.assert_allclose(run_backtest(close, mix, **FREE).returns, both, atol=1e-12)


@given(seeds, st.floats(0, 50), st.floats(0, 50))
def test_costs_never_help(seed, fee, slippage):
    close, target = market(seed)
    free = run_backtest(close, target, **FREE)
    paid = run_backtest(close, target, fee_bps=fee, slippage_bps=slippage)
    assert (paid.returns <= free.returns).all()
    np.testing.assert_array_equal(paid.turnover, free.turnover)


def test_buy_and_hold_of_one_symbol_is_its_price():
    close = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, (50, 1)), axis=0))
    result = run_backtest(close, np.ones((50, 1)), **FREE)
    np.testing.assert_allclose(result.equity[1:], close[1:, 0] / close[1, 0])
    assert result.exposure.tolist() == [0.0, 0.0] + [1.0] * 48
    assert result.turnover.sum() == 1.0


def test_a_gap_carries_its_loss_to_the_next_known_close():
    close = np.array([[100.0], [100.0], [np.nan], [50.0], [50.0]])
    result = run_backtest(close, np.array([[1.0], [0.0], [0.0], [0.0], [0.0]]), **FREE)
    assert result.returns.tolist() == [0.0, 0.0, 0.0, -0.5, 0.0]
    assert result.turnover.tolist() == [0.0, 1.0, 0.0, 1.0, 0.0]  # the sale waits for a price


def test_equity_stops_at_zero():
    close = np.array([[100.0], [100.0], [300.0], [100.0]])
    assert run_backtest(close, -np.ones((4, 1)), **FREE).equity[-1] == 0.0


@pytest.mark.parametrize(
    ("close", "target", "costs"),
    [
        (np.ones((3, 2)), np.zeros((2, 2)), FREE),
        (np.zeros((3, 2)), np.zeros((3, 2)), FREE),
        (np.ones((3, 2)), np.full((3, 2), np.nan), FREE),
        (np.ones((3, 2)), np.full((3, 2), 0.51), FREE),
        (np.ones((3, 2)), np.zeros((3, 2)), {"fee_bps": -1.0, "slippage_bps": 0.0}),
        (np.ones((3, 2)), np.zeros((3, 2)), {"fee_bps": np.nan, "slippage_bps": 0.0}),
    ],
)
def test_input_that_cannot_be_traded_is_refused(close, target, costs):
    with pytest.raises(ConfigInvalid):
        run_backtest(close, target, **costs)


def test_a_higher_limit_can_be_asked_for():
    assert (
        run_backtest(
            np.ones((3, 2)), np.full((3, 2), 1.0), **FREE, limits=TradingLimits(max_gross=2.0)
        ).exposure[-1]
        == 2.0
    )


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 8), st.integers(1, 30), st.floats(0.1, 2.0))
def test_targets_are_equal_slots_held_for_the_cadence(seed, cadence, symbols, sessions, gross):
    direction = np.random.default_rng(seed).integers(-1, 2, (sessions, symbols)).astype(np.int8)
    target = targets_from_predictions(
        direction, cadence_sessions=cadence, limits=TradingLimits(max_gross=gross, max_position=10.0)
    )
    assert (np.abs(target).sum(axis=1) <= gross + 1e-12).all()
    for t in range(sessions):
        np.testing.assert_allclose(target[t], direction[t - t % cadence] * gross / symbols)


def test_a_cadence_of_nothing_is_refused():
    with pytest.raises(ConfigInvalid):
        targets_from_predictions(np.zeros((3, 1), dtype=np.int8), cadence_sessions=0)
