import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation import (
    compare_sharpe,
    compare_sharpe_hac,
    compare_sharpe_jkm,
    default_block_length,
    sessions_for_power,
    sharpe_ratio,
)
from ordinis_learn.evaluation.paired_moments import PairedMoments, sharpe_difference, sharpe_gradient
from ordinis_learn.evaluation.studentised import bootstrap_statistics
from ordinis_learn.market import load_sp500
from ordinis_learn.records import PairedDifference


def pair(seed, *, sessions=400, edge=0.0, rho=0.8):
    rng = np.random.default_rng(seed)
    common, own = rng.standard_t(5, (2, sessions)) * 0.008
    baseline = 0.0003 + common
    return 0.0003 + edge + rho * common + np.sqrt(1 - rho**2) * own, baseline


def bootstrap(subject, baseline, **options):
    return compare_sharpe(subject, baseline, **({"seed": 3, "draws": 199} | options))


METHODS = [bootstrap, compare_sharpe_hac, compare_sharpe_jkm]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.001, 0.001), st.sampled_from(METHODS))
def test_the_estimate_is_the_difference_of_the_reported_ratios(seed, edge, method):
    subject, baseline = pair(seed, edge=edge)
    result = method(subject, baseline)
    assert result.estimate == pytest.approx(sharpe_ratio(subject) - sharpe_ratio(baseline))
    assert result.interval.low <= result.estimate <= result.interval.high
    assert 0 < result.p_value <= 1
    assert result.sessions == 400
    assert result.minimum_detectable > 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.002, 0.002), st.floats(-0.5, 0.5), st.sampled_from(METHODS))
def test_verdict_p_value_and_interval_tell_one_story(seed, edge, null, method):
    result = method(*pair(seed, edge=edge), null=null)
    assert (result.verdict == "pass") == (result.interval.low > null) == (result.p_value <= result.alpha)
    assert (result.verdict == "fail") == (result.interval.high < null)
    assert (result.sessions_needed > 0) == (result.estimate > null)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(0.01, 100))
def test_leverage_changes_nothing(seed, a, b):
    subject, baseline = pair(seed)
    for method in METHODS:
        plain, levered = method(subject, baseline), method(a * subject, b * baseline)
        assert levered.estimate == pytest.approx(plain.estimate, abs=1e-8)
        assert levered.interval.low == pytest.approx(plain.interval.low, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([compare_sharpe_hac, compare_sharpe_jkm]))
def test_swapping_the_models_mirrors_the_answer(seed, method):
    subject, baseline = pair(seed)
    there, back = method(subject, baseline), method(baseline, subject)
    assert back.estimate == pytest.approx(-there.estimate)
    assert back.interval.low == pytest.approx(-there.interval.high)
    assert back.p_value == pytest.approx(1 - there.p_value)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_gradient_is_that_of_the_difference(seed):
    subject, baseline = pair(seed, sessions=100)
    moments = np.array([subject.mean(), baseline.mean(), (subject**2).mean(), (baseline**2).mean()])
    gradient = sharpe_gradient(moments)
    for k in range(4):
        step = np.zeros(4)
        step[k] = 1e-6 * abs(moments[k]) + 1e-12
        slope = (sharpe_difference(moments + step) - sharpe_difference(moments - step)) / (2 * step[k])
        assert gradient[k] == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_the_three_methods_agree_on_independent_normal_returns():
    rng = np.random.default_rng(4)
    common, own = rng.normal(0, 0.01, (2, 4000))
    subject, baseline = common + 0.5 * own, common
    widths = [np.ptp([r.interval.low, r.interval.high]) for r in (m(subject, baseline) for m in METHODS)]
    np.testing.assert_allclose(widths, widths[-1], rtol=0.15)


def test_the_same_seed_gives_the_same_answer_and_another_seed_nearly_so():
    subject, baseline = pair(1, sessions=1000)
    first = compare_sharpe(subject, baseline, seed=1)
    assert compare_sharpe(subject, baseline, seed=1) == first
    other = compare_sharpe(subject, baseline, seed=2)
    assert other.interval.low != first.interval.low
    assert other.interval.low == pytest.approx(first.interval.low, abs=0.1)


def test_the_bootstrap_equals_one_that_resamples_returns_block_by_block():
    """The shipped one never touches a return again; this one writes the definitions out."""
    returns, length, draws = np.column_stack(pair(1, sessions=203)), 7, 40
    shipped = bootstrap_statistics(
        PairedMoments.of(*returns.T), block_length=length, draws=draws, rng=np.random.default_rng(5)
    )
    starts = np.random.default_rng(5).integers(0, 203, size=(draws, 203 // length))
    observed = np.subtract(*(returns.mean(axis=0) / returns.std(axis=0)))
    for k in range(draws):
        sample = np.concatenate([returns[(start + np.arange(length)) % 203] for start in starts[k]])
        difference = np.subtract(*(sample.mean(axis=0) / sample.std(axis=0)))
        moments = np.column_stack([sample, sample**2])
        gradient = sharpe_gradient(moments.mean(axis=0))
        zeta = [
            (block - moments.mean(axis=0)).sum(axis=0) / np.sqrt(length)
            for block in np.split(moments, len(sample) // length)
        ]
        psi = np.mean([np.outer(z, z) for z in zeta], axis=0)
        se = np.sqrt(gradient @ psi @ gradient / len(sample))
        assert shipped[k] == pytest.approx((difference - observed) / se, rel=1e-6)


def test_many_draws_are_done_in_parts_and_none_is_lost():
    statistics = bootstrap_statistics(
        PairedMoments.of(*pair(1, sessions=3000)), block_length=1, draws=700, rng=np.random.default_rng(5)
    )
    assert statistics.shape == (700,)
    assert len(np.unique(statistics)) == 700


@pytest.mark.parametrize("method", METHODS)
def test_a_strategy_against_itself_differs_by_exactly_nothing(method):
    subject, _ = pair(1)
    for twin in (subject, 0.37 * subject):
        result = method(subject, twin)
        assert (result.estimate, result.interval.low, result.interval.high) == (0.0, 0.0, 0.0)
        assert (result.verdict, result.p_value) == ("inconclusive", 1.0)
        assert method(subject, twin, null=0.1).verdict == "fail"
        assert PairedDifference.model_validate_json(result.model_dump_json()).verdict == "inconclusive"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("subject", "baseline"),
    [
        (np.zeros(200), np.random.default_rng(0).normal(0, 1, 200)),
        (np.full(200, 0.001), np.random.default_rng(0).normal(0, 1, 200)),
        (np.random.default_rng(0).normal(0, 1, 59), np.random.default_rng(1).normal(0, 1, 59)),
        (np.random.default_rng(0).normal(0, 1, 100), np.random.default_rng(1).normal(0, 1, 99)),
        (
            np.r_[np.nan, np.random.default_rng(0).normal(0, 1, 99)],
            np.random.default_rng(1).normal(0, 1, 100),
        ),
    ],
    ids=["flat", "constant", "short", "unpaired", "nan"],
)
def test_what_cannot_be_compared_is_an_error_and_no_verdict(method, subject, baseline):
    with pytest.raises(EvalFailed):
        method(subject, baseline)


def test_a_model_that_hardly_trades_is_not_passed_by_draws_without_variation():
    """Some bootstrap samples miss its only trades; they must count against the claim."""
    baseline = np.random.default_rng(0).normal(-0.0005, 0.01, 400)
    subject = np.zeros(400)
    subject[[100, 101]] = [0.02, 0.03]
    result = bootstrap(subject, baseline)
    assert result.verdict == "inconclusive"
    assert result.interval.low == -np.inf


def test_blocks_longer_than_a_quarter_are_refused():
    with pytest.raises(EvalFailed):
        bootstrap(*pair(1), block_length=101)


@given(st.integers(1, 40))
def test_too_few_draws_to_reach_the_level_are_refused(draws):
    if draws < 19:
        with pytest.raises(EvalFailed):
            bootstrap(*pair(1), draws=draws)
    else:
        result = bootstrap(*pair(1, edge=0.01), draws=draws)
        assert (result.verdict == "pass") == (result.p_value <= 0.05)


@given(st.integers(60, 20_000))
def test_the_default_block_grows_slowly_and_always_fits(sessions):
    length = default_block_length(sessions)
    assert (length - 1) ** 3 < sessions <= length**3
    assert length <= sessions // 4


# Independent figures: sessions for 80 % power, one-sided 5 %.
@pytest.mark.parametrize(
    ("correlation", "to", "sessions"),
    [(0.5, 1.5, 6262), (0.9, 1.5, 1256), (0.9, 1.3, 3482), (0.95, 1.5, 629), (0.95, 1.3, 1742)],
)
def test_sessions_for_power(correlation, to, sessions):
    assert sessions_for_power(to, 1.0, correlation=correlation) == pytest.approx(sessions, rel=0.002)


@given(st.floats(-1, 3), st.floats(-1, 3), st.floats(-0.9, 0.99))
def test_a_difference_twice_as_large_takes_fewer_sessions(a, b, correlation):
    assume(abs(a - b) > 0.01)
    assert sessions_for_power(b + 2 * (a - b), b, correlation=correlation) < sessions_for_power(
        a, b, correlation=correlation
    )
    assert sessions_for_power(b, b, correlation=correlation) == np.inf


def test_random_exposure_passes_no_more_often_than_stated():
    """The placebo: the index itself, switched off at random for a fifth of the time, in blocks of ten days.

    It is not better, only different; a bare threshold of 0.10 would let it through about 30 % of the time
    on one year.
    """
    index = np.diff(np.log(load_sp500().index_close))[-1250:]
    rng = np.random.default_rng(2026)
    runs, passed, over_threshold = 200, 0, 0
    for k in range(runs):
        exposure = np.repeat(rng.random(125) < 0.8, 10)
        result = compare_sharpe(exposure * index, index, seed=k, draws=199)
        passed += result.verdict == "pass" and result.estimate >= 0.10
        over_threshold += result.estimate >= 0.10
    # 16 of 200 is the 97 % point of a binomial at 5 %.
    assert passed <= 16
    assert over_threshold > 2 * passed


def test_a_planted_edge_passes():
    index = np.diff(np.log(load_sp500().index_close))[-1250:]
    noise = np.random.default_rng(1).normal(0, 0.003, len(index))
    result = compare_sharpe(index + 0.0006 + noise, index, seed=1, draws=499)
    assert (result.verdict, result.p_value < 0.01) == ("pass", True)
    assert compare_sharpe(index, index + 0.0006 + noise, seed=1, draws=499).verdict == "fail"


def test_the_level_holds_under_clustered_volatility():
    rng = np.random.default_rng(11)
    rejected = 0
    for k in range(150):
        shocks = rng.standard_t(6, (500, 2)) / np.sqrt(1.5)
        shocks[:, 1] = 0.8 * shocks[:, 0] + 0.6 * shocks[:, 1]
        variance, returns = np.full(2, 1e-4), np.empty((500, 2))
        for t in range(500):
            returns[t] = np.sqrt(variance) * shocks[t]
            variance = 2e-6 + 0.1 * returns[t] ** 2 + 0.88 * variance
        verdict = compare_sharpe(returns[:, 0] + 4e-4, returns[:, 1] + 4e-4, seed=k, draws=199).verdict
        rejected += verdict != "inconclusive"
    assert rejected <= 25  # two sides of 5 %: 15 expected, 25 is beyond the 99 % point
