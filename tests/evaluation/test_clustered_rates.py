"""Paired rates whose items come in groups: the level holds, and without groups they are McNemar's and Tango's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest

from ordinis_learn.evaluation.clustered_rates import exchange_p_value, grouped_changes
from ordinis_learn.evaluation.paired_rates import score_interval
from ordinis_learn.evaluation.paired_verdicts import rate_verdict

ALPHA = 0.025
pairs = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 9)), min_size=1, max_size=80)


def columns(found):
    return [np.array(column) for column in zip(*found, strict=True)]


@given(pairs)
def test_groups_of_one_are_the_exact_mcnemar_test_and_the_interval_of_tango(found):
    subject, baseline, _ = columns(found)
    verdict = rate_verdict("rate", subject, baseline, clusters=np.arange(len(subject)))
    gained, lost = int((subject & ~baseline).sum()), int((~subject & baseline).sum())
    expected = binomtest(gained, gained + lost, alternative="greater").pvalue if gained + lost else 1.0
    assert verdict.p_value == pytest.approx(expected)
    bounds = score_interval(gained, lost, items=len(subject), alpha=ALPHA)
    assert (verdict.interval.low, verdict.interval.high) == bounds


@given(pairs)
def test_groups_never_say_more_than_as_many_items_and_what_they_are_called_does_not_matter(found):
    subject, baseline, groups = columns(found)
    changes = grouped_changes(subject, baseline, clusters=groups)
    effect = changes.design_effect(alpha=ALPHA)
    assert 1.0 <= effect <= changes.items.max()
    apart, together = (
        rate_verdict("rate", subject, baseline, clusters=clusters).interval
        for clusters in (np.arange(len(groups)), groups)
    )
    assert together.high - together.low >= apart.high - apart.low - 1e-9
    assert rate_verdict("rate", subject, baseline, clusters=-7 * groups) == rate_verdict(
        "rate", subject, baseline, clusters=groups
    )


@given(st.lists(st.integers(-4, 4), max_size=10))
def test_the_exchange_is_that_over_all_signs(net):
    observed = sum(net)
    signs = list(itertools.product((-1, 1), repeat=len(net)))
    expected = np.mean([np.dot(np.abs(net), one) >= observed for one in signs]) if net else 1.0
    assert exchange_p_value(np.array(net, dtype=np.int64)) == pytest.approx(expected)


def drawn(rng, *, groups, each, subject, baseline, correlation, shared):
    """Two sides whose chances differ from group to group; on a share of groups and items they have the same luck."""
    weight = 1.0 / correlation - 1.0

    def luck(shape):
        first = rng.random(shape)
        return first, np.where(rng.random(shape) < shared, first, rng.random(shape))

    flags = [
        own < beta.ppf(of_group, rate * weight, (1.0 - rate) * weight).repeat(each)
        for own, of_group, rate in zip(luck(groups * each), luck(groups), (subject, baseline), strict=True)
    ]
    return *flags, np.arange(groups).repeat(each)


def excludes(subject, baseline, groups, *, margin):
    changes = grouped_changes(subject, baseline, clusters=groups)
    effect = changes.design_effect(alpha=ALPHA)
    counts = (changes.gained.sum() / effect, changes.lost.sum() / effect)
    return score_interval(*counts, items=len(subject) / effect, alpha=ALPHA)[0] > -margin


@pytest.mark.parametrize("correlation", [0.2, 0.5])
@pytest.mark.parametrize(("rate", "margin"), [(0.98, 0.05), (0.97, 0.03), (0.9, 0.05)])
def test_a_subject_that_is_worse_by_the_margin_passes_at_most_at_the_level(rate, margin, correlation):
    """60 documents of five questions; counted by question, 4 to 12 of 100 pass at a stated 2.5."""
    rng = np.random.default_rng(7)
    sides = {"subject": rate - margin, "baseline": rate, "correlation": correlation, "shared": 0.5}
    passed = sum(excludes(*drawn(rng, groups=60, each=5, **sides), margin=margin) for _ in range(400))
    assert passed <= binom.ppf(0.999, 400, ALPHA)


@pytest.mark.parametrize("correlation", [0.2, 0.5])
def test_where_there_is_no_difference_one_is_found_at_most_at_the_level(correlation):
    rng = np.random.default_rng(8)
    sides = {"subject": 0.9, "baseline": 0.9, "correlation": correlation, "shared": 0.0}
    found = by_item = 0
    for _ in range(400):
        subject, baseline, groups = drawn(rng, groups=60, each=5, **sides)
        found += exchange_p_value(grouped_changes(subject, baseline, clusters=groups).net) <= ALPHA
        apart = np.arange(len(groups))
        by_item += exchange_p_value(grouped_changes(subject, baseline, clusters=apart).net) <= ALPHA
    most = binom.ppf(0.999, 400, ALPHA)
    assert found <= most < by_item or correlation < 0.5
    assert found <= most
