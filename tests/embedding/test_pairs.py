"""Which pairs are learnt from, and which are held out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.datasets.answers import ANSWER_SCHEMA
from ordinis_learn.errors import DataMissing
from ordinis_learn.models import query_mark
from ordinis_learn.training.pairs import TrainingPairs, hold_out, training_pairs

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def row(query, *, cited=(), relevant=(), grade=None):
    def places(names):
        return json.dumps([{"doc_id": name, "locator": "p"} for name in names])

    plain = dict.fromkeys(ANSWER_SCHEMA.names)
    return plain | {
        "query": query,
        "cited": places(cited),
        "relevant": places(relevant),
        "grade": grade,
        "ts_response": NOON,
    }


def read(*rows, texts, min_pairs=1):
    table = pa.Table.from_pylist(list(rows), schema=ANSWER_SCHEMA)
    return training_pairs(table, texts=texts, min_grade=0.5, min_pairs=min_pairs, asked="train")


def told(pairs):
    return {
        (pairs.queries[query], pairs.documents[document])
        for query, document in zip(pairs.query_of, pairs.document_of, strict=True)
    }


def test_graders_are_believed_before_the_answer_and_bad_answers_teach_nothing():
    texts = {("a", "p"): "text a", ("b", ""): "text b"}
    found = read(
        row("one  query", cited=("a",), relevant=("b",), grade=1.0),
        row("two", cited=("a",)),
        row("three", cited=("a",), grade=0.2),
        row("two", cited=("a", "unknown")),
        texts=texts,
    )
    assert told(found) == {("one query", "text b"), ("two", "text a")}
    assert (found.without_text, found.first, found.last) == (1, "2026-01-05", "2026-01-05")
    assert found.marks() == {query_mark("one query"), query_mark("TWO")}


def test_citations_without_texts_are_counted_where_too_little_is_left():
    with pytest.raises(DataMissing, match=r"0 pairs .* 2 are needed; 1 citations have no text.*--documents"):
        read(row("one", cited=("a",)), texts={}, min_pairs=2)


def pairs_of(edges):
    columns = np.array(sorted(set(edges)), dtype=np.int64)
    return TrainingPairs(
        queries=tuple(f"q{n}" for n in range(columns[:, 0].max() + 1)),
        documents=tuple(f"d{n}" for n in range(columns[:, 1].max() + 1)),
        query_of=columns[:, 0],
        document_of=columns[:, 1],
        without_text=0,
        first="2026-01-05",
        last="2026-01-05",
    )


@given(
    edges=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=10, max_size=60),
    seed=st.integers(0, 99),
)
def test_no_query_and_no_document_is_on_both_sides(edges, seed):
    pairs = pairs_of(edges)
    try:
        held = hold_out(pairs, share=0.3, seed=seed, asked="train")
    except DataMissing:
        return  # told, and nothing was held out
    assert 2 <= held.sum() <= 0.3 * len(pairs)
    for side in (pairs.query_of, pairs.document_of):
        assert not set(side[held]) & set(side[~held])


def test_what_hangs_together_cannot_be_held_out():
    with pytest.raises(DataMissing, match=r"1 groups.*validation_share"):
        hold_out(pairs_of([(n, 0) for n in range(20)]), share=0.3, seed=1, asked="train")


def test_the_share_is_held_out_where_nothing_hangs_together():
    assert hold_out(pairs_of([(n, n) for n in range(20)]), share=0.3, seed=1, asked="train").sum() == 6
