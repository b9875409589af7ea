import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from ordinis_learn.datasets.profile import profile_feature
from ordinis_learn.drift import (
    Constant,
    KolmogorovSmirnov,
    MissingRate,
    PopulationStability,
    Wasserstein,
    benjamini_hochberg,
    fine_bins,
    missing_effect,
    population_stability_index,
    psi_from_profile,
)

DETECTORS = (PopulationStability(), KolmogorovSmirnov(), Wasserstein(), MissingRate(), Constant())
COUNTS = hnp.arrays(np.float64, st.integers(2, 12), elements=st.integers(0, 10_000).map(float))
VALUES = hnp.arrays(np.float64, st.integers(5, 200), elements=st.floats(-1e6, 1e6))


def distance(detector, reference, current):
    bins = fine_bins(profile_feature(reference), reference=reference, current=current)
    return detector.distance(bins, reference=bins.count(reference), current=bins.count(current)[None, :])[0]


@given(COUNTS, st.data())
def test_psi_is_never_negative_and_is_symmetric(before, data):
    now = data.draw(hnp.arrays(np.float64, before.shape, elements=st.integers(0, 10_000).map(float)))
    assume(before.sum() > 0 and now.sum() > 0)
    psi = population_stability_index(before, now)
    assert psi >= 0.0
    assert psi == pytest.approx(population_stability_index(now, before))


@given(VALUES)
def test_every_distance_of_a_sample_to_itself_is_zero(values):
    assert [distance(detector, values, values) for detector in DETECTORS] == [0.0] * len(DETECTORS)
    assert psi_from_profile(profile_feature(values), values) == 0.0


@given(VALUES, VALUES)
def test_distances_lie_in_their_range(before, now):
    assert 0.0 <= distance(KolmogorovSmirnov(), before, now) <= 1.0
    assert distance(Wasserstein(), before, now) >= 0.0
    assert distance(PopulationStability(), before, now) >= 0.0


@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0, 10.0])
def test_binned_distances_agree_with_scipy(shift):
    rng = np.random.default_rng(3)
    before, now = rng.standard_normal(4000), 1.5 * rng.standard_t(5, 1500) + shift
    assert distance(KolmogorovSmirnov(), before, now) == pytest.approx(
        stats.ks_2samp(before, now).statistic, abs=0.01
    )
    exact = stats.wasserstein_distance(before, now) / before.std(ddof=1)
    assert distance(Wasserstein(), before, now) == pytest.approx(exact, rel=0.02)


def test_values_outside_the_reference_are_not_lost():
    before = np.random.default_rng(0).standard_normal(1000)
    assert distance(KolmogorovSmirnov(), before, before + 1e6) == 1.0
    assert distance(Wasserstein(), before, before + 100.0) == pytest.approx(
        100.0 / before.std(ddof=1), rel=1e-6
    )


def test_psi_of_one_bin_is_taken_over_the_values_instead():
    flags = np.tile([0.0, 1.0], 500)
    assert distance(PopulationStability(), flags, np.ones(1000)) > 1.0
    assert distance(PopulationStability(), np.ones(1000), np.zeros(1000)) > 1.0


def test_psi_of_an_empty_window_is_undefined():
    assert np.isnan(population_stability_index(np.array([5.0, 5.0]), np.zeros(2)))


def test_a_stuck_feature_is_constant_and_a_constant_reference_is_not_news():
    moving, stuck = np.arange(100.0), np.full(50, 3.0)
    assert distance(Constant(), moving, stuck) == 1.0
    assert distance(Constant(), moving, moving[:50]) == 0.0
    assert distance(Constant(), stuck, stuck) == 0.0


def test_missing_less_often_is_no_drift():
    holes = np.where(np.arange(100) % 2 == 0, np.nan, np.arange(100.0))
    assert distance(MissingRate(), holes, np.arange(100.0)) == 0.0
    assert distance(MissingRate(), np.arange(100.0), holes) == 0.5
    assert missing_effect(np.array([50.0, 50.0]), np.array([[100.0, 0.0]])) > 0.2


@given(hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(1e-6, 1.0)))
def test_benjamini_hochberg_agrees_with_scipy(p_values):
    np.testing.assert_allclose(
        benjamini_hochberg(p_values), stats.false_discovery_control(p_values), rtol=1e-12
    )


def test_benjamini_hochberg_of_nothing_is_nothing():
    assert benjamini_hochberg(np.array([])).size == 0
