"""The paired bootstrap over documents: its interval covers, its test keeps its level, and it knows its clusters."""

from __future__ import annotations

import numpy as np
import pytest

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation import compare_shares


def world(rng, *, documents, each, share, better=0.0):
    """Claims whose success hangs on their document, with an intra-document correlation of 0.3."""
    place = np.repeat(np.arange(documents), each)
    sides = []
    for rate in (share + better, share):
        by_document = rng.beta(rate * 7 / 3, (1 - rate) * 7 / 3, size=documents)[place]
        claims = rng.integers(1, 5, size=len(place))
        sides.append(np.stack([rng.binomial(claims, by_document), claims], axis=1).astype(float))
    return sides[0], sides[1], place


def test_the_interval_covers_and_drawing_items_one_by_one_would_not():
    rng, runs = np.random.default_rng(1), 300
    covered, rejected, covered_by_item = 0, 0, 0
    for seed in range(runs):
        subject, baseline, place = world(rng, documents=40, each=5, share=0.9)
        found = compare_shares(subject, baseline, clusters=place, seed=seed, draws=400)
        covered += found.low <= 0.0 <= found.high
        rejected += found.p_better <= 0.025
        alone = compare_shares(subject, baseline, clusters=np.arange(len(place)), seed=seed, draws=400)
        covered_by_item += alone.low <= 0.0 <= alone.high
    assert 0.92 <= covered / runs <= 0.99
    assert rejected / runs <= 0.05
    assert covered_by_item / runs < 0.85


def test_a_planted_difference_is_found_and_both_ways_agree():
    subject, baseline, place = world(np.random.default_rng(3), documents=100, each=2, share=0.6, better=0.3)
    found = compare_shares(subject, baseline, clusters=place, seed=7)
    assert found.low > 0
    assert found.p_better < 0.025
    turned = compare_shares(baseline, subject, clusters=place, seed=7)
    assert turned.difference == pytest.approx(-found.difference)
    assert turned.p_worse < 0.025 < turned.p_better


def test_the_same_seed_gives_the_same_numbers():
    subject, baseline, place = world(np.random.default_rng(3), documents=40, each=2, share=0.8)
    once, again, other = (
        compare_shares(subject, baseline, clusters=place, seed=seed, draws=500) for seed in (7, 7, 8)
    )
    assert once == again != other


def test_equal_sides_are_no_evidence():
    subject, _, place = world(np.random.default_rng(3), documents=40, each=2, share=0.8)
    found = compare_shares(subject, subject, clusters=place, seed=7)
    assert (found.difference, found.p_better, found.p_worse) == (0, 1, 1)
    assert found.low == -found.high == pytest.approx(0.025 ** (1 / 40) - 1)


@pytest.mark.parametrize("documents", [0, 5, 19])
def test_too_few_documents_are_an_error_not_an_interval(documents):
    rows = np.ones((documents, 2))
    with pytest.raises(EvalFailed):
        compare_shares(rows, rows, clusters=np.arange(documents), seed=7)
