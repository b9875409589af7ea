import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.evaluation import (
    autocorrelation,
    minimum_track_record_revised,
    probabilistic_sharpe,
    probabilistic_sharpe_revised,
)

HEDGE_FUND = {"periods": 24, "skewness": -2.448, "kurtosis": 10.164}


def test_the_two_conventions_differ_on_one_input():
    assert probabilistic_sharpe(0.458, **HEDGE_FUND) == pytest.approx(0.913, abs=5e-4)
    assert probabilistic_sharpe_revised(0.458, **HEDGE_FUND) == pytest.approx(0.9876, abs=5e-5)


def ar1(rng, *, rho, shape):
    noise = rng.standard_normal(shape)
    series = np.empty(shape)
    series[:, 0] = noise[:, 0] / np.sqrt(1 - rho**2)
    for t in range(1, shape[1]):
        series[:, t] = rho * series[:, t - 1] + noise[:, t]
    return series * np.sqrt(1 - rho**2)


@pytest.mark.parametrize(("rho", "sharpe"), [(0.0, 0.0), (0.3, 0.0), (-0.2, 0.0), (0.3, 0.4), (0.0, 0.4)])
def test_it_holds_its_level_where_returns_are_autocorrelated(rho, sharpe):
    samples = ar1(np.random.default_rng(5), rho=rho, shape=(4000, 600)) + sharpe
    found = samples.mean(axis=1) / samples.std(axis=1, ddof=1)
    sure = [
        probabilistic_sharpe_revised(one, periods=600, autocorrelation=rho, benchmark=sharpe) > 0.95
        for one in found
    ]
    assert 0.035 <= np.mean(sure) <= 0.065


def test_taking_autocorrelated_returns_as_independent_is_too_sure():
    samples = ar1(np.random.default_rng(5), rho=0.3, shape=(2000, 600))
    found = samples.mean(axis=1) / samples.std(axis=1, ddof=1)
    sure = [probabilistic_sharpe(one, periods=600) > 0.95 for one in found]
    assert np.mean(sure) > 0.09


@given(st.floats(0.02, 0.3), st.floats(-2, 2), st.floats(-0.5, 0.5), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_track_record_is_where_the_probability_reaches_the_confidence(sharpe, skewness, rho, confidence):
    shape = {"skewness": skewness, "kurtosis": skewness**2 + 4, "autocorrelation": rho}
    periods = minimum_track_record_revised(sharpe, confidence=confidence, **shape)
    reached = probabilistic_sharpe_revised(sharpe, periods=periods, **shape)
    assert reached == pytest.approx(confidence) or periods < 2


def test_what_is_undefined():
    assert np.isnan(probabilistic_sharpe_revised(0.1, periods=1))
    assert np.isnan(probabilistic_sharpe_revised(0.1, periods=100, autocorrelation=1.0))
    assert np.isnan(minimum_track_record_revised(0.1, autocorrelation=-1.0))
    assert minimum_track_record_revised(0.1, benchmark=0.2) == np.inf
    assert np.isnan(autocorrelation(np.ones(5)))


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.6])
def test_autocorrelation_of_a_long_series_is_its_coefficient(rho):
    series = ar1(np.random.default_rng(1), rho=rho, shape=(1, 50_000))[0]
    assert autocorrelation(series) == pytest.approx(rho, abs=0.02)
