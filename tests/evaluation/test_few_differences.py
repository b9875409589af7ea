"""Comparisons in which hardly anything differs, or nearly everything got worse: an answer, not a crash."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from ordinis_learn.evaluation import compare_shares, rate_verdict
from ordinis_learn.evaluation.paired_rates import detectable_rate_difference


@pytest.mark.parametrize("differing", [1, 2, 3])
def test_a_share_in_which_few_documents_differ_is_undecided(differing):
    ones = np.ones((200, 2))
    worse = ones.copy()
    worse[:differing, 0] = 0.0
    found = compare_shares(ones, worse, clusters=np.arange(200), seed=7)
    assert found.difference == pytest.approx(differing / 200)
    assert -1.0 <= found.low <= 0.0 < found.difference <= found.high <= 1.0
    assert 0.025 < found.p_better < 0.5


@pytest.mark.parametrize(("differing", "clusters"), [(0, 72), (1, 108), (2, 140)])
def test_where_few_documents_differ_those_that_were_not_met_may_have_got_worse(differing, clusters):
    """By Clopper & Pearson: as many documents exclude a loss of five points, one less does not."""
    for number, excluded in ((clusters - 1, False), (clusters + 8, True)):
        worse = np.ones((number, 2))
        worse[:differing, 0] = 0.0
        found = compare_shares(worse, np.ones((number, 2)), clusters=np.arange(number), seed=7)
        assert (found.low > -0.05) == excluded
        assert found.low == pytest.approx(-beta.ppf(0.975, differing + 1, number - differing))


def test_nothing_is_detectable_where_most_items_get_worse():
    assert np.isnan(detectable_rate_difference(200, lost=0.6))
    found = rate_verdict("hit_at_k", np.zeros(200, dtype=bool), np.arange(200) < 190)
    assert (found.verdict, np.isnan(found.minimum_detectable)) == ("fail", True)
