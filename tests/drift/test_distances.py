import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.spatial.distance import jensenshannon

from ordinis_learn.datasets.profile import profile_feature
from ordinis_learn.drift import (
    Bins,
    Constant,
    JensenShannon,
    KolmogorovSmirnov,
    MissingRate,
    NewValues,
    PopulationStability,
    Wasserstein,
    benjamini_hochberg,
    jensen_shannon_distance,
    missing_effect,
    population_stability_index,
    psi_from_profile,
    summarise_column,
)

DETECTORS = (
    PopulationStability(),
    JensenShannon(),
    KolmogorovSmirnov(),
    Wasserstein(),
    MissingRate(),
    NewValues(),
    Constant(),
)
COUNTS = hnp.arrays(np.float64, st.integers(2, 12), elements=st.integers(0, 10_000).map(float))
VALUES = hnp.arrays(np.float64, st.integers(5, 200), elements=st.floats(-1e6, 1e6))


def distance(detector, reference, current):
    column = summarise_column(reference, session=np.zeros(len(reference), dtype=int), sessions=1)
    now = column.bins.count(current, session=np.zeros(len(current), dtype=int), sessions=1)
    return detector.distance(column.beside(now), now.total[None, :])[0]


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


@given(COUNTS, st.data())
def test_jensen_shannon_agrees_with_scipy(before, data):
    now = data.draw(hnp.arrays(np.float64, before.shape, elements=st.integers(0, 10_000).map(float)))
    assume(before.sum() > 0 and now.sum() > 0)
    expected = jensenshannon(before, now, base=2)
    assert jensen_shannon_distance(before, now) == pytest.approx(expected, abs=1e-6)


FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40, unique=True).map(sorted),
    st.lists(FLOATS, max_size=60),
)
def test_the_quick_table_finds_the_bin_that_a_search_finds(cuts, values):
    cuts, values = np.array(cuts), np.array([*values, *cuts])
    expected = np.searchsorted(cuts, values, side="right")
    expected[~np.isfinite(values)] = len(cuts) + 1
    assert np.array_equal(Bins(cuts=cuts).index(values), expected)


def test_evenly_spread_cuts_use_the_table_and_crowded_ones_the_search():
    crowded = np.array([0.0, 1e-9, 2e-9, 1.0])
    values = np.random.default_rng(0).uniform(-0.5, 1.5, 100_000)
    for cuts, quick in ((np.linspace(0.0, 1.0, 100), True), (crowded, False)):
        bins = Bins(cuts=cuts)
        assert (bins._table is not None) == quick
        assert np.array_equal(bins.index(values), np.searchsorted(cuts, values, side="right"))


def test_benjamini_hochberg_of_nothing_is_nothing():
    assert benjamini_hochberg(np.array([])).size == 0
