"""Which questions an embedding model is judged on, and over which documents."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from ordinis_learn.answers import QuestionPack, items_sha256
from ordinis_learn.answers.retrieval_corpus import retrieval_corpus
from ordinis_learn.answers.retrieval_scorecard import search
from ordinis_learn.errors import ConfigInvalid, EvalFailed
from ordinis_learn.models import query_mark
from ordinis_learn.records import Question, QuestionDocument, QuestionPackManifest


def pack_of(*items):
    manifest = QuestionPackManifest(
        pack_id="rag_eval_v1",
        items=len(items),
        tasks=("search",),
        documents=1,
        items_sha256=items_sha256(items),
        source_ref="later@1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return QuestionPack(manifest=manifest, items=items)


def item(number, *, variables=None, text="text", required=True):
    document = QuestionDocument(doc_id=f"d{number}", text=text and f"{text} {number}")
    return Question(
        item_id=f"q{number}",
        task="search",
        variables=variables or {"query": f"question {number}"},
        documents=(document,),
        required=(document.doc_id,) if required else (),
    )


def test_every_document_of_the_pack_is_searched_for_every_question():
    corpus = retrieval_corpus(pack_of(item(1), item(2), item(3, required=False)), seen=())
    assert (corpus.documents, len(corpus.queries), corpus.without_answer) == (3, 2, 1)
    assert [corpus.passages[one[0]] for one in corpus.required] == ["text 1", "text 2"]


def test_what_was_trained_on_and_what_has_no_text_is_left_out():
    pack = pack_of(item(1), item(2), item(3, text=None))
    corpus = retrieval_corpus(pack, seen={query_mark("Question  1")})
    assert (corpus.queries, corpus.seen, corpus.without_answer) == (("question 2",), ("q1",), 1)
    with pytest.raises(EvalFailed, match="2 of 3 questions were trained on"):
        retrieval_corpus(pack, seen={query_mark("question 1"), query_mark("question 2")})


def test_the_query_is_the_variable_of_that_name_or_the_only_text():
    named = item(1, variables={"query": "this", "tone": "dry"})
    only = item(2, variables={"topic": "that", "limit": 3})
    assert retrieval_corpus(pack_of(named, only), seen=()).queries == ("this", "that")
    with pytest.raises(ConfigInvalid, match="tone, topic; which one is the query"):
        retrieval_corpus(pack_of(item(1, variables={"topic": "this", "tone": "dry"})), seen=())


def test_a_query_without_a_vector_is_an_error_and_found_nothing():
    class Deaf:
        def encode(self, texts):
            return np.zeros((len(texts), 2))

    found = search(Deaf(), retrieval_corpus(pack_of(item(1), item(2)), seen=()), k=1)
    assert (found.errors, found.error_rate) == (2, 1.0)
    assert found.metrics() == {"recall_at_k": 0.0, "mrr": 0.5, "ndcg_at_k": 0.0, "hit_at_k": 0.0}
