import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.signal import lfilter

from ordinis_learn.drift import (
    BlockPlan,
    KolmogorovSmirnov,
    Null,
    Wasserstein,
    autocovariances,
    draw_blocks,
    influence_series,
    mean_variance,
    plan_blocks,
    summarise_column,
)

REFERENCE, CURRENT = 504, 63


def autoregression(rng, *, phi, sessions):
    noise = rng.standard_normal(sessions + 300) * np.sqrt(1.0 - phi**2)
    return lfilter([1.0], [1.0, -phi], noise)[300:]


def p_values(before, now, *, seed):
    column = summarise_column(before, session=np.arange(len(before)), sessions=len(before))
    plan = plan_blocks(*influence_series(column.counts.by_session), current_sessions=len(now))
    drawn = draw_blocks(column.counts.by_session, plan, draws=199, seed=seed)
    current = column.bins.count(now, session=np.zeros(len(now), dtype=int), sessions=1)
    beside = column.beside(current)
    return [
        Null.of(detector.distance(column.as_counts, drawn)).p_values(
            detector.distance(beside, current.total[None, :])
        )[0]
        for detector in (KolmogorovSmirnov(), Wasserstein())
    ]


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_false_alarms_stay_near_the_stated_level_where_the_naive_test_cries_wolf(phi):
    rng = np.random.default_rng(20)
    trials, calibrated, naive = 200, np.zeros(2), 0
    for seed in range(trials):
        series = autoregression(rng, phi=phi, sessions=REFERENCE + CURRENT + 100)
        before, now = series[:REFERENCE], series[-CURRENT:]
        calibrated += np.array(p_values(before, now, seed=seed)) <= 0.05
        naive += stats.ks_2samp(before, now).pvalue <= 0.05
    # Two standard errors of a rate of 5 % in 200 trials are 3 points.
    assert (calibrated / trials <= 0.10).all()
    assert (calibrated / trials >= 0.01).all()
    if phi == 0.9:
        assert naive / trials > 0.60


def test_a_planted_shift_is_found_in_spite_of_the_memory():
    rng = np.random.default_rng(21)
    found = 0
    for seed in range(40):
        series = autoregression(rng, phi=0.9, sessions=2 * REFERENCE)
        found += p_values(series[:REFERENCE], series[REFERENCE:] + 1.5, seed=seed)[0] <= 0.05
    assert found >= 36


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_autocovariances_of_a_long_autoregression_are_those_of_theory(phi):
    gamma = autocovariances(autoregression(np.random.default_rng(4), phi=phi, sessions=20_000))
    np.testing.assert_allclose(gamma[:20], phi ** np.arange(20), atol=0.08)
    assert mean_variance(gamma, sessions=250) == pytest.approx(
        (1 + 2 * sum((1 - k / 250) * phi**k for k in range(1, 250))) / 250, rel=0.15
    )


def test_a_constant_series_remembers_nothing():
    assert not autocovariances(np.ones(50)).any()
    assert plan_blocks(np.ones(50), current_sessions=10) == BlockPlan(block_sessions=1, drawn_sessions=10)


def test_longer_memory_gives_longer_blocks_and_fewer_sessions():
    rng = np.random.default_rng(5)
    plans = [
        plan_blocks(autoregression(rng, phi=phi, sessions=2000), current_sessions=250)
        for phi in (0.0, 0.8, 0.95)
    ]
    blocks = [plan.block_sessions for plan in plans]
    assert blocks == sorted(blocks)
    assert 5 <= blocks[1] <= 15
    assert 25 <= blocks[2] <= 70
    assert all(1 <= plan.block_sessions <= plan.drawn_sessions <= 250 for plan in plans)


def test_a_walk_that_never_returns_is_calibrated_to_the_widest_null_not_to_an_error():
    walk = np.cumsum(np.random.default_rng(6).standard_normal(300))
    plan = plan_blocks(walk, current_sessions=250)
    assert 1 <= plan.block_sessions <= plan.drawn_sessions <= 150


def test_clustered_width_is_memory_too():
    rng = np.random.default_rng(7)
    width = np.exp(autoregression(rng, phi=0.97, sessions=3000))
    session = np.arange(3000)
    plan = plan_blocks(
        *influence_series(
            summarise_column(
                width * rng.standard_normal(3000), session=session, sessions=3000
            ).counts.by_session
        ),
        current_sessions=250,
    )
    assert plan.block_sessions > 10


@given(st.integers(1, 30), st.integers(1, 60), st.integers(31, 80), st.integers(0, 2**32))
def test_a_draw_holds_exactly_the_sessions_asked_for(block, drawn, sessions, seed):
    plan = BlockPlan(block_sessions=min(block, drawn), drawn_sessions=drawn)
    sample = draw_blocks(np.ones((sessions, 1)), plan, draws=3, seed=seed)
    assert sample.ravel().tolist() == [drawn] * 3


def test_blocks_are_consecutive_and_wrap_round():
    one_hot = np.eye(6)
    drawn = draw_blocks(one_hot, BlockPlan(block_sessions=3, drawn_sessions=3), draws=200, seed=1)
    expected = {tuple(np.roll([1, 1, 1, 0, 0, 0], shift)) for shift in range(6)}
    assert {tuple(row.astype(int)) for row in drawn} == expected


def test_the_same_seed_draws_the_same_null():
    counts = np.random.default_rng(8).integers(0, 9, (100, 7)).astype(float)
    plan = BlockPlan(block_sessions=4, drawn_sessions=30)
    first, again, other = (draw_blocks(counts, plan, draws=50, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
