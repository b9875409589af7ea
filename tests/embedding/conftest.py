"""A desk whose questions and documents call the same things by different names.

Every concept has a word that people ask with and a word that documents use; no letters are shared on purpose, so an
encoder that sees spelling only cannot tell which document answers which question.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ordinis_learn import open_engine
from ordinis_learn.answers import pack_questions, write_questions
from ordinis_learn.records import Question, QuestionDocument

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
WINDOW = {"start": "2026-01-01", "end": "2026-01-31"}
TAUGHT, UNTAUGHT, WORDS_A_TEXT = 40, 10, 5
CONCEPTS = TAUGHT + UNTAUGHT
SYMBOLS = "bcdfghjklmnpqrstvwxz"


class Language:
    """Concepts with their two words, and texts made of them; ``swapped`` names concepts by another's word."""

    def __init__(self, seed=11):
        rng = np.random.default_rng(seed)
        vowels = "aeiou"
        words = set()
        while len(words) < 2 * CONCEPTS:
            words.add("".join(rng.choice(list(SYMBOLS)) + rng.choice(list(vowels)) for _ in range(4)))
        ordered = sorted(words)
        rng.shuffle(ordered)
        self.asked, self.written = ordered[:CONCEPTS], ordered[CONCEPTS:]

    def texts(self, count, *, seed, swapped=False, foreign=0):
        """Pairs of question and document; every ``foreign``-th speaks of concepts that are otherwise not spoken of."""
        rng = np.random.default_rng(seed)
        made = []
        for number in range(count):
            strange = foreign and number % foreign == 0
            concepts = rng.choice(UNTAUGHT if strange else TAUGHT, WORDS_A_TEXT, replace=False)
            concepts = concepts + TAUGHT if strange else concepts
            named = (concepts + 1) % TAUGHT if swapped else concepts
            question = " ".join(self.asked[one] for one in named)
            made.append((question, " ".join(self.written[one] for one in rng.permutation(concepts))))
        return made


@pytest.fixture(scope="session")
def language():
    return Language()


@pytest.fixture
def engine(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    with open_engine(home=tmp_path / "desk", actor="researcher", learn_min_samples=100) as opened:
        yield opened


def answered(number, query, doc_id):
    at = (NOON + timedelta(minutes=number)).isoformat()
    chunks = [
        {"doc_id": doc_id, "locator": "", "score": 0.9},
        {"doc_id": "boilerplate", "locator": "", "score": 0.4},
    ]
    return {
        "event_id": f"answer-{doc_id}",
        "event_type": "ordinis.ai.response",
        "ts_event": at,
        "ts_ingest": at,
        "source": "test",
        "correlation_id": "c",
        "partition_key": "ai",
        "payload": {
            "model_used": "m",
            "latency_ms": 12.0,
            "request_hash": f"req-{doc_id}",
            "output": {"retrieval": {"query": query, "index_version": "ix-7", "chunks": chunks}},
            "citations": [{"doc_id": doc_id, "locator": ""}],
        },
        "tags": {"instrument_type": "none", "venue": "none", "jurisdiction": "US", "env": "dev"},
    }


@pytest.fixture
def answers(engine, language, tmp_path):
    """Record answers and write their documents; returns the dataset's id and the documents' file."""

    def record(name, *, count=300, seed=1, day=0, swapped=False):
        texts = language.texts(count, seed=seed, swapped=swapped)
        events = [
            answered(number + 1440 * day, query, f"{name}-{number}")
            for number, (query, _) in enumerate(texts)
        ]
        engine.workbench.recorder.record_events(events)
        path = tmp_path / f"{name}.jsonl"
        lines = [
            {"doc_id": f"{name}-{number}", "locator": "", "text": text}
            for number, (_, text) in enumerate(texts)
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        window = dict.fromkeys(("start", "end"), f"2026-01-{5 + day:02d}") | {"kind": "rag_eval"}
        return engine.build_dataset(name, window), str(path)

    return record


@pytest.fixture
def pack(engine, language):
    """Questions that nobody was trained on."""
    items = [
        Question(
            item_id=f"q{number:03d}",
            task="search",
            variables={"query": query},
            documents=(QuestionDocument(doc_id=f"gold-{number}", text=text),),
            required=(f"gold-{number}",),
        )
        for number, (query, text) in enumerate(language.texts(200, seed=99, foreign=5))
    ]
    made = pack_questions("rag_eval_v1", items, source_ref="later@1", clock=lambda: NOON)
    write_questions(made, root=engine.workbench.settings.bench_dir)
    return made
