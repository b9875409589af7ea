"""Encoders on documents and required-document lists that others wrote: those in the package ``inspect-evals``.

They are read where they lie and not copied. A task's scenario is the query, its required documents are the answer.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ordinis_learn.answers import QuestionPack, items_sha256
from ordinis_learn.answers.retrieval_corpus import retrieval_corpus
from ordinis_learn.answers.retrieval_scorecard import RECALL_K, search
from ordinis_learn.models import EncoderSpec, open_encoder
from ordinis_learn.records import Question, QuestionDocument, QuestionPackManifest

FOLDER = "tau2/data/domains/banking_knowledge"


def gold_folder():
    found = importlib.util.find_spec("inspect_evals")
    return None if found is None else Path(found.submodule_search_locations[0]) / FOLDER


@pytest.fixture(scope="module")
def corpus():
    folder = gold_folder()
    if folder is None or not (folder / "documents.json.gz").is_file():
        pytest.skip("pip install --no-deps inspect-evals: the documents are in that package")
    with gzip.open(folder / "documents.json.gz") as stream:
        documents = json.load(stream)
    everything = tuple(
        QuestionDocument(doc_id=one["id"], text=f"{one['title']}\n{one['content']}") for one in documents
    )
    tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    items = tuple(
        Question(
            item_id=str(task["id"]),
            task="search",
            variables={"query": task["user_scenario"]["instructions"]},
            documents=everything,
            required=tuple(task["required_documents"]),
        )
        for task in tasks
        if task["required_documents"]
    )
    manifest = QuestionPackManifest(
        pack_id="gold",
        items=len(items),
        tasks=("search",),
        documents=len(everything),
        items_sha256=items_sha256(items[:1]),
        source_ref="inspect-evals",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return retrieval_corpus(QuestionPack(manifest=manifest, items=items), seen=())


@pytest.mark.parametrize("kind", ["ngrams", "wordllama"])
def test_frozen_encoders_find_far_more_than_chance(corpus, kind):
    if kind == "wordllama":
        pytest.importorskip("wordllama", reason="install the extra: pip install -e '.[llm]'")
    found = search(open_encoder(EncoderSpec(kind=kind)), corpus)
    chance = RECALL_K / corpus.documents
    assert (len(found.rankings), found.errors) == (len(corpus.items), 0)
    assert len(corpus.items) > 50
    assert found.metrics()["recall_at_k"] > 3.0 * chance
