import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ordinis_learn.market import FEATURE_NAMES, RuleParameters, compute_features, load_sp500, rule_signals

RULE = RuleParameters()
NAMES = ("mom_252_21", "z_20", "vol_20", "vol_60")

rows = arrays(
    np.float64, st.tuples(st.integers(1, 6), st.just(4)), elements=st.floats(-3, 3) | st.just(np.nan)
)


def signals(*row, names=NAMES, rule=RULE):
    direction, confidence = rule_signals(np.array([row], dtype=float), names=names, parameters=rule)
    return int(direction[0]), float(confidence[0])


def test_absurd_numbers_neither_warn_nor_leave_the_range():
    assert signals(1e308, 0.0, 0.1, 5e-324) == (1, 1.0)
    assert signals(1e308, 1e308, 0.1, 5e-324, rule=RuleParameters(reversion_weight=1e3)) == (0, 0.0)


def test_it_follows_the_trend():
    assert signals(0.4, 0.0, 0.2, 0.2)[0] == 1
    assert signals(-0.4, 0.0, 0.2, 0.2)[0] == -1


def test_it_leans_against_the_fast_move():
    assert signals(0.0, -2.0, 0.2, 0.2)[0] == 1
    assert signals(0.0, 2.5, 0.2, 0.2)[0] == -1
    assert signals(0.4, 2.0, 0.2, 0.2)[1] < signals(0.4, -2.0, 0.2, 0.2)[1]


def test_the_score_is_the_declared_formula():
    score = np.tanh(0.5 * 0.3 / (0.25 * np.sqrt(231 / 252)) - 0.2 * 0.7)
    assert signals(0.3, 0.7, 0.2, 0.25) == (1, pytest.approx(score))


def test_shorts_need_a_stronger_score():
    weak = RULE.entry_threshold + 0.05
    size = np.arctanh(weak) / RULE.reversion_weight
    assert signals(0.0, -size, 0.2, 0.2) == (1, pytest.approx(weak))
    assert signals(0.0, size, 0.2, 0.2) == (0, 0.0)


@pytest.mark.parametrize("vol_20", [0.61, 3.0, np.inf, np.nan])
def test_wild_markets_are_left_alone(vol_20):
    assert signals(0.4, 0.0, vol_20, 0.2) == (0, 0.0)
    assert signals(0.4, 0.0, RULE.volatility_ceiling, 0.2)[0] == 1


def test_no_volatility_means_no_opinion():
    assert signals(0.4, 0.0, 0.0, 0.0) == (0, 0.0)


@given(features=rows)
def test_flat_means_no_confidence_and_the_other_way_round(features):
    direction, confidence = rule_signals(features, names=NAMES, parameters=RULE)
    assert direction.dtype == np.int8
    assert confidence.dtype == np.float64
    assert ((confidence >= 0.0) & (confidence <= 1.0)).all()
    assert ((direction == 0) == (confidence == 0.0)).all()
    assert (direction[~np.isfinite(features).all(axis=1)] == 0).all()
    assert (confidence[direction == 1] >= RULE.entry_threshold).all()
    assert (confidence[direction == -1] >= RULE.short_threshold).all()


@given(features=rows, order=st.permutations(range(4)))
def test_rows_are_judged_alone_and_columns_by_name(features, order):
    direction, confidence = rule_signals(features, names=NAMES, parameters=RULE)
    shuffled = rule_signals(features[::-1][:, order], names=[NAMES[n] for n in order], parameters=RULE)
    np.testing.assert_array_equal(shuffled[0][::-1], direction)
    np.testing.assert_array_equal(shuffled[1][::-1], confidence)


def test_on_real_prices_it_takes_every_side():
    values = compute_features(load_sp500()).values.reshape(-1, len(FEATURE_NAMES))
    direction, _ = rule_signals(values, names=FEATURE_NAMES, parameters=RULE)
    shares = {side: (direction == side).mean() for side in (-1, 0, 1)}
    assert min(shares.values()) > 0.03


@pytest.mark.parametrize(
    "change",
    [{"entry_threshold": 1.5}, {"volatility_ceiling": 0.0}, {"momentum_weight": -1.0}, {"colour": 1}],
)
def test_impossible_parameters_are_refused(change):
    with pytest.raises(ValueError, match="validation error"):
        RuleParameters(**change)
