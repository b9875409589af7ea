import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.bench import VolatilityScale, tag_window, volatility_scale
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Regime

CALM = VolatilityScale(median=0.01, percentile_90=1.0)


@pytest.mark.parametrize(
    ("path", "tags"),
    [
        ([100, 106, 112], {Regime.BULL}),
        ([100, 130, 115], {Regime.MIXED}),  # up 15 %, but fell by more than 10 % on the way
        ([100, 95, 88], {Regime.BEAR}),
        ([100, 70, 105], {Regime.BEAR}),  # came back, after a fall of 30 %
        ([100, 100.5, 101], {Regime.SIDEWAYS}),
        ([100, 103, 107], {Regime.MIXED}),
    ],
)
def test_tags_follow_the_thresholds(path, tags):
    assert set(tag_window(np.array(path, dtype=float), scale=CALM)) == tags


def test_a_crash_is_bear_and_spike_at_once():
    scale = VolatilityScale(median=0.01, percentile_90=0.02)
    assert set(tag_window(np.array([100.0, 80.0, 76.0]), scale=scale)) == {Regime.BEAR, Regime.VOL_SPIKE}


def test_flat_but_restless_is_not_sideways():
    scale = VolatilityScale(median=0.001, percentile_90=0.5)
    assert tag_window(np.array([100.0, 103.0, 100.0, 103.0]), scale=scale) == (Regime.MIXED,)


@given(
    st.lists(st.floats(-0.09, 0.09), min_size=3, max_size=60),
    st.floats(1e-3, 1e3),
)
def test_tags_do_not_depend_on_the_level_of_the_index_and_mixed_stands_alone(steps, level):
    path = np.exp(np.cumsum([0.0, *steps]))
    scale = VolatilityScale(median=0.02, percentile_90=0.05)
    tags = tag_window(path, scale=scale)
    # Powers of two scale floats exactly, so no threshold is crossed by rounding.
    assert tag_window(path * 2.0 ** round(np.log2(level)), scale=scale) == tags
    assert tags
    assert (Regime.MIXED in tags) == (tags == (Regime.MIXED,))
    assert not {Regime.BULL, Regime.SIDEWAYS} <= set(tags)


@given(st.integers(2, 40))
def test_a_tenth_of_the_windows_spike(sessions):
    close = 100 * np.exp(np.cumsum(np.random.default_rng(sessions).normal(0, 0.01, 300)))
    scale = volatility_scale(close, sessions=sessions)
    log_return = np.diff(np.log(close))
    deviations = np.array(
        [log_return[k : k + sessions].std(ddof=1) for k in range(len(log_return) - sessions + 1)]
    )
    assert np.mean(deviations > scale.percentile_90) <= 0.1 + 1 / len(deviations)
    assert np.mean(deviations < scale.median) <= 0.5


@pytest.mark.parametrize("sessions", [0, 1, 10])
def test_too_short_a_history_is_refused(sessions):
    with pytest.raises(ConfigInvalid):
        volatility_scale(np.linspace(100, 110, 10), sessions=sessions)
