import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation import compare_rates, detectable_rate_difference, mcnemar_power
from ordinis_learn.evaluation.paired_rates import score_interval

pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)


def columns(found):
    return np.array([a for a, _ in found]), np.array([b for _, b in found])


@given(pairs)
def test_it_is_the_sign_test_of_the_items_that_differ(found):
    subject, baseline = columns(found)
    result = compare_rates(subject, baseline)
    differing = result.gained + result.lost
    expected = binomtest(result.gained, differing, 0.5).pvalue if differing else 1.0
    assert result.p_value == pytest.approx(expected)
    assert result.difference == pytest.approx(result.subject - result.baseline)


@given(pairs)
def test_exchanging_the_two_exchanges_the_sign(found):
    subject, baseline = columns(found)
    there, back = compare_rates(subject, baseline), compare_rates(baseline, subject)
    assert there.difference == -back.difference
    assert there.p_value == back.p_value


@pytest.mark.parametrize(
    ("items", "gained", "lost"), [(50, 0.06, 0.02), (200, 0.06, 0.02), (200, 0.10, 0.02)]
)
def test_the_power_is_the_share_of_samples_that_are_significant(items, gained, lost):
    rng = np.random.default_rng(0)
    outcomes = np.array([(1, 0), (0, 1), (0, 0)], dtype=bool)
    drawn = rng.choice(3, size=(3000, items), p=[gained, lost, 1 - gained - lost])
    significant = [compare_rates(outcomes[row, 0], outcomes[row, 1]).p_value <= 0.05 for row in drawn[:400]]
    assert np.mean(significant) == pytest.approx(mcnemar_power(items, gained=gained, lost=lost), abs=0.08)


@given(st.integers(20, 400), st.floats(0.01, 0.3))
def test_without_a_difference_it_rejects_at_most_at_the_level(items, rate):
    assert mcnemar_power(items, gained=rate, lost=rate) <= 0.05


def test_two_hundred_items_see_eight_points_and_not_four():
    assert 0.04 < detectable_rate_difference(200, lost=0.02) < 0.08


@given(st.integers(10, 500), st.sampled_from([0.0, 0.01, 0.05]))
def test_the_detectable_difference_is_where_the_power_is_four_fifths(items, lost):
    found = detectable_rate_difference(items, lost=lost)
    assert mcnemar_power(items, gained=found + lost, lost=lost) == pytest.approx(0.8, abs=1e-3)


def test_five_items_show_nothing():
    assert np.isnan(detectable_rate_difference(5))


@pytest.mark.parametrize(("subject", "baseline"), [([], []), ([True], [True, False])])
def test_what_cannot_be_paired_is_refused(subject, baseline):
    with pytest.raises(EvalFailed):
        compare_rates(np.array(subject, dtype=bool), np.array(baseline, dtype=bool))


counts = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300)).filter(sum)


@given(counts)
def test_the_score_interval_holds_the_estimate_and_turns_with_the_two_sides(found):
    gained, lost, same = found
    items = gained + lost + same
    low, high = score_interval(gained, lost, items=items, alpha=0.025)
    assert -1.0 <= low <= (gained - lost) / items + 1e-9
    assert (gained - lost) / items - 1e-9 <= high <= 1.0
    assert (-high, -low) == pytest.approx(score_interval(lost, gained, items=items, alpha=0.025), abs=1e-6)


@pytest.mark.parametrize(("items", "margin"), [(200, 0.03), (200, 0.05), (500, 0.03)])
@pytest.mark.parametrize("gained", [0.0, 0.01, 0.05])
def test_a_subject_that_is_worse_by_the_margin_passes_at_the_level_exactly(items, margin, gained):
    """The chance over all samples, not over some: what is gained is a nuisance, and hardly anything may be."""
    most = range(int(items * (2 * gained + margin) + 8 * np.sqrt(items * (2 * gained + margin))) + 1)
    chance = 0.0
    for up in most:
        pmf_up = binom.pmf(up, items, gained)
        for down in most if pmf_up > 1e-7 else ():
            if up + down > items or score_interval(up, down, items=items, alpha=0.025)[0] <= -margin:
                break  # more of them lost only moves the interval down
            chance += pmf_up * binom.pmf(down, items - up, (gained + margin) / (1.0 - gained))
    assert chance <= 0.0265
