import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.evaluation.long_run_variance import long_run_covariance


@given(st.integers(0, 10_000), st.floats(0, 0.9))
def test_it_is_a_covariance_matrix(seed, phi):
    series = np.random.default_rng(seed).normal(size=(200, 3))
    for t in range(1, 200):
        series[t] += phi * series[t - 1]
    covariance = long_run_covariance(series)
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-8, atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9


@pytest.mark.parametrize(("phi", "truth"), [(0.0, 1.0), (0.5, 4.0), (-0.4, 1 / 1.4**2), (0.8, 25.0)])
def test_it_finds_the_long_run_variance_of_an_autoregression(phi, truth):
    estimates = []
    for seed in range(20):
        shocks = np.random.default_rng(seed).normal(size=3000)
        series = np.zeros(3000)
        for t in range(1, 3000):
            series[t] = phi * series[t - 1] + shocks[t]
        estimates.append(long_run_covariance(series[:, None]).item())
    assert np.mean(estimates) == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize("theta", [0.6, -0.3])
def test_it_sees_dependence_that_an_autoregression_of_order_one_misses(theta):
    shocks = np.random.default_rng(0).normal(size=20_001)
    series = shocks[1:] + theta * shocks[:-1]
    assert long_run_covariance(series[:, None]).item() == pytest.approx((1 + theta) ** 2, rel=0.15)


def test_a_constant_shift_changes_nothing():
    series = np.random.default_rng(3).normal(size=(300, 2))
    np.testing.assert_allclose(long_run_covariance(series + 5.0), long_run_covariance(series), rtol=1e-6)
