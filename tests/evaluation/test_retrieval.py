"""Ranks and the measures that are made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.evaluation.retrieval import document_scores, rank_required, ranking_measures

SCORES = st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=12)


@given(scores=SCORES, data=st.data())
def test_ranks_are_those_of_the_worst_order_that_the_scores_allow(scores, data):
    required = data.draw(st.sets(st.sampled_from(range(len(scores))), min_size=1))
    order = sorted(range(len(scores)), key=lambda one: (-scores[one], one in required))
    expected = [place for place, one in enumerate(order, start=1) if one in required]
    assert rank_required(np.array(scores), required=sorted(required)).tolist() == expected


@given(scores=SCORES)
def test_an_encoder_that_says_the_same_of_everything_is_last(scores):
    same = np.full(len(scores), scores[0])
    assert rank_required(same, required=[0]).tolist() == [len(scores)]


@given(scores=SCORES)
def test_a_score_that_is_no_number_is_last(scores):
    with_nan = np.array([*scores, np.nan])
    assert rank_required(with_nan, required=[len(scores)]).tolist() == [len(with_nan)]
    assert rank_required(with_nan, required=[0]) == rank_required(np.array(scores), required=[0])


@given(ranks=st.sets(st.integers(1, 40), min_size=1, max_size=8), k=st.integers(1, 20))
def test_measures_against_their_definitions(ranks, k):
    ordered = sorted(ranks)
    found = ranking_measures(np.array(ordered), k=k)
    gains = sum(1.0 / math.log2(1 + rank) for rank in ordered if rank <= k)
    best = sum(1.0 / math.log2(1 + rank) for rank in range(1, min(k, len(ordered)) + 1))
    assert found.recall == sum(rank <= k for rank in ordered) / len(ordered)
    assert found.hit == (ordered[0] <= k)
    assert found.reciprocal_rank == 1.0 / ordered[0]
    assert found.ndcg == pytest.approx(gains / best)
    assert 0.0 <= found.ndcg <= 1.0 + 1e-12


def test_the_best_first_documents_give_every_measure_its_largest_value():
    found = ranking_measures(np.array([1, 2, 3]), k=3)
    assert (found.recall, found.hit, found.reciprocal_rank, found.ndcg) == (1.0, True, 1.0, 1.0)


@given(seed=st.integers(0, 2**16), documents=st.integers(1, 5))
def test_a_document_scores_as_its_best_passage(seed, documents):
    rng = np.random.default_rng(seed)
    queries, passages = rng.normal(size=(3, 4)), rng.normal(size=(documents * 2, 4))
    document_of = rng.permutation(np.repeat(np.arange(documents), 2))
    found = document_scores(queries, passages, document_of=document_of, documents=documents)
    for document in range(documents):
        expected = (queries @ passages[document_of == document].T).max(axis=1)
        np.testing.assert_allclose(found[:, document], expected)
