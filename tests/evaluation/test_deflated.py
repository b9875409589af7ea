import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from ordinis_learn.evaluation import (
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    return_shape,
)

sharpes = st.floats(-0.3, 0.3)
skews = st.floats(-2, 2)
excess = st.floats(0, 10)


@given(st.integers(0, 10_000))
def test_shape_agrees_with_scipy(seed):
    returns = np.random.default_rng(seed).standard_t(5, 300)
    skewness, kurtosis = return_shape(returns)
    assert skewness == pytest.approx(stats.skew(returns))
    assert kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))


@given(sharpes, st.integers(30, 5000), skews, excess)
def test_psr_is_one_half_at_its_own_estimate(sharpe, periods, skewness, over):
    kurtosis = skewness**2 + 1 + over  # no distribution has less
    assume(1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2 > 0)
    value = probabilistic_sharpe(
        sharpe, periods=periods, skewness=skewness, kurtosis=kurtosis, benchmark=sharpe
    )
    assert value == pytest.approx(0.5)


@given(sharpes, st.integers(30, 2000), st.floats(0.005, 0.1))
def test_psr_falls_with_the_benchmark_and_sharpens_with_time(sharpe, periods, step):
    near = probabilistic_sharpe(sharpe, periods=periods, benchmark=sharpe - step)
    assert near > probabilistic_sharpe(sharpe, periods=periods, benchmark=sharpe) == pytest.approx(0.5)
    assert probabilistic_sharpe(sharpe, periods=4 * periods, benchmark=sharpe - step) >= near


@given(st.integers(1, 1000), st.floats(1e-5, 0.01))
def test_more_trials_deflate_more(trials, variance):
    expected = [expected_maximum_sharpe(trials=n, trial_variance=variance) for n in (trials, trials + 1)]
    assert expected[0] < expected[1]
    record = {"periods": 1000, "trial_variance": variance}
    assert deflated_sharpe(0.05, trials=trials, **record) >= deflated_sharpe(
        0.05, trials=trials + 1, **record
    )


def test_one_trial_deflates_nothing():
    assert deflated_sharpe(0.05, periods=500, trials=1, trial_variance=0.3) == probabilistic_sharpe(
        0.05, periods=500
    )


@pytest.mark.parametrize("trials", [10, 100])
def test_the_expected_maximum_is_that_of_normal_draws(trials):
    best = np.random.default_rng(0).normal(0, 0.05, (20_000, trials)).max(axis=1).mean()
    assert expected_maximum_sharpe(trials=trials, trial_variance=0.05**2) == pytest.approx(best, rel=0.03)


@given(st.floats(0.02, 0.3), skews, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_minimum_track_record_is_where_psr_reaches_the_confidence(sharpe, skewness, confidence):
    shape = {"skewness": skewness, "kurtosis": skewness**2 + 4}
    periods = minimum_track_record(sharpe, confidence=confidence, **shape)
    assert probabilistic_sharpe(sharpe, periods=periods, **shape) == pytest.approx(confidence) or periods < 2


def test_no_record_is_long_enough_without_an_edge():
    assert minimum_track_record(0.01, benchmark=0.02) == np.inf


def test_a_variance_that_is_not_positive_leaves_psr_undefined():
    assert np.isnan(probabilistic_sharpe(2.0, periods=100, skewness=3.0, kurtosis=5.0))
    assert np.isnan(probabilistic_sharpe(0.1, periods=1))


def test_psr_holds_its_level_on_worthless_returns():
    rng = np.random.default_rng(1)
    sure = 0
    for _ in range(1000):
        returns = rng.standard_t(6, 500)
        skewness, kurtosis = return_shape(returns)
        psr = probabilistic_sharpe(
            returns.mean() / returns.std(ddof=1), periods=500, skewness=skewness, kurtosis=kurtosis
        )
        sure += psr > 0.95
    assert 30 <= sure <= 70
