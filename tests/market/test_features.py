import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.market import (
    FEATURE_NAMES,
    WARM_UP_SESSIONS,
    PriceHistory,
    compute_features,
    simulate_history,
)

HISTORY = simulate_history(sessions=300, symbols=3, seed=11)
CUBE = compute_features(HISTORY)


def with_closes(history, close, index_close=None):
    return PriceHistory(
        sessions=history.sessions,
        symbols=history.symbols,
        close=close,
        index_close=history.index_close if index_close is None else index_close,
    )


@settings(max_examples=30, deadline=None)
@given(session=st.integers(0, 299), factor=st.floats(0.1, 10.0))
def test_later_closes_change_no_earlier_feature(session, factor):
    close, index_close = HISTORY.close.copy(), HISTORY.index_close.copy()
    close[session + 1 :] *= factor
    index_close[session + 1 :] /= factor
    changed = compute_features(with_closes(HISTORY, close, index_close))
    np.testing.assert_array_equal(changed.values[: session + 1], CUBE.values[: session + 1])


@pytest.mark.parametrize("sessions", [1, 5, 21, 252, 253, 254])
def test_a_shorter_history_gives_the_same_features(sessions):
    short = HISTORY.between(HISTORY.sessions[0].item(), HISTORY.sessions[sessions - 1].item())
    np.testing.assert_allclose(compute_features(short).values, CUBE.values[:sessions], rtol=1e-12)


def test_names_are_in_the_declared_order():
    assert CUBE.names == FEATURE_NAMES
    assert CUBE.values.shape == (300, 3, len(FEATURE_NAMES))


def test_the_warm_up_is_as_long_as_it_says():
    assert not CUBE.complete[: WARM_UP_SESSIONS - 1].any()
    assert CUBE.complete[WARM_UP_SESSIONS:].all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ret_1", lambda p: np.log(p[-1] / p[-2])),
        ("ret_5", lambda p: np.log(p[-1] / p[-6])),
        ("ret_20", lambda p: np.log(p[-1] / p[-21])),
        ("mom_126", lambda p: np.log(p[-1] / p[-127])),
        ("mom_252_21", lambda p: np.log(p[-22] / p[-253])),
        ("z_20", lambda p: (p[-1] - p[-20:].mean(axis=0)) / p[-20:].std(axis=0, ddof=1)),
        ("vol_20", lambda p: np.diff(np.log(p[-21:]), axis=0).std(axis=0, ddof=1) * 252**0.5),
        ("vol_60", lambda p: np.diff(np.log(p[-61:]), axis=0).std(axis=0, ddof=1) * 252**0.5),
        ("below_high_252", lambda p: p[-1] / p[-252:].max(axis=0) - 1.0),
    ],
)
def test_each_feature_is_its_formula(name, expected):
    position = CUBE.names.index(name)
    np.testing.assert_allclose(CUBE.values[-1, :, position], expected(HISTORY.close), rtol=1e-10)


def test_features_that_compare_are_their_formulas():
    last = dict(zip(CUBE.names, CUBE.values[-1].T, strict=True))
    np.testing.assert_allclose(last["vol_ratio"], last["vol_20"] / last["vol_60"])
    np.testing.assert_allclose(last["rel_20"], last["ret_20"] - last["ret_20"].mean())
    index_vol = np.diff(np.log(HISTORY.index_close[-21:])).std(ddof=1) * 252**0.5
    np.testing.assert_allclose(last["index_vol_20"], index_vol)


def test_a_constant_price_has_no_volatility_and_no_score():
    flat = compute_features(with_closes(HISTORY, np.full_like(HISTORY.close, 50.0)))
    last = dict(zip(flat.names, flat.values[-1, 0], strict=True))
    assert last["vol_20"] == last["z_20"] == 0.0
    assert np.isnan(last["vol_ratio"])


def test_a_missing_close_is_never_filled_in():
    close = HISTORY.close.copy()
    close[280, 0] = np.nan
    cube = compute_features(with_closes(HISTORY, close))
    assert not cube.complete[280:, 0].any()
    assert np.isfinite(cube.values[280:, 1:]).all()
