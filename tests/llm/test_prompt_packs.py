"""A prompt pack from file to ACTIVE: registered, asked over a real endpoint, judged, refused or let through."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from ordinis_learn import LearningEngine
from ordinis_learn.answers import MIN_ITEMS, pack_questions, write_questions
from ordinis_learn.errors import (
    ArtifactMissing,
    BenchDataMissing,
    CassetteMissing,
    ConfigInvalid,
    RolloutDenied,
)
from ordinis_learn.prompts import read_pack_file
from ordinis_learn.records import Actor, Question, QuestionDocument, Role, State
from ordinis_learn.use_cases.approve import answer_request
from ordinis_learn.use_cases.evaluate_answers import evaluate_answers
from ordinis_learn.use_cases.refusals import refused_rules
from ordinis_learn.use_cases.sign import create_identity, reference
from ordinis_learn.wiring import registry_uri

from .conftest import completion  # isort: skip


@pytest.fixture
def cortex(cortex_file):
    return read_pack_file(cortex_file)


def prompt_aliases(bench):
    """Return where the aliases of a linked prompt point, as any MLflow client sees them."""
    from mlflow import MlflowClient

    client = MlflowClient(registry_uri=registry_uri(bench.settings))
    # MLflow's client shows no prompt as a model, and a prompt without its aliases.
    found = client._get_registry_client().get_registered_model("cortex.synthesize_research").aliases
    return {alias: str(version) for alias, version in found.items()}


def with_settings(engine, **changes):
    bench = engine.workbench
    return LearningEngine(replace(bench, settings=bench.settings.model_copy(update=changes)))


def approved(engine, artifact):
    """Two people look at the evidence as it stands and say yes."""
    bench = engine.workbench
    for name in ("grace", "alan"):
        if not bench.keys.exists(name):
            create_identity(
                bench, name, roles=(Role.APPROVER,), actor=Actor(name="researcher", kind="claimed")
            )
        answer_request(
            bench, reference(artifact), target=State.ACTIVE, answer="approve", identity=name, comment="read"
        )


def question(number):
    return Question(
        item_id=f"q{number:03d}",
        task="synthesize_research",
        variables={"query": f"Did margins improve in quarter {number}?"},
        documents=(QuestionDocument(doc_id=f"10-Q-{number % 150}", locator="p. 4", text="Margin was 41 %."),),
        required=(f"10-Q-{number % 150}",),
    )


@pytest.fixture
def questions(engine):
    bench = engine.workbench
    pack = pack_questions(
        "prompt_eval_v1",
        [question(number) for number in range(MIN_ITEMS)],
        source_ref="answers@1",
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    return write_questions(pack, root=bench.settings.bench_dir)


def answer(asked, *, cites=True, refuses=False):
    """What a well-behaved model says: it cites the document that it finds in the question."""
    said = asked["messages"][-1]["content"]
    doc_id = said.split("doc_id: ")[1].split(";")[0]
    if refuses:
        return completion('{"refusal": "I would rather not."}')
    citation = [{"doc_id": doc_id if cites else "a made-up note", "locator": "p. 4"}]
    claims = [{"text": "Margin was 41 %.", "citations": citation}]
    return completion(json.dumps({"claims": claims, "uncertainties": []}))


@pytest.fixture
def asked(engine, endpoint, tmp_path):
    """The desk with an endpoint and a cassette; the model does worse where the prompt is told to be brief."""

    def says(request):
        brief = "Be brief." in request["messages"][0]["content"]
        number = int(request["messages"][-1]["content"].split("quarter ")[1].split("?")[0])
        return 200, {}, answer(request, cites=not (brief and number % 3 == 0))

    endpoint.script = [says]
    return with_settings(engine, learn_llm_url=endpoint.url, learn_llm_cassette=tmp_path / "cassette")


def registered(engine, pack, **changes):
    return engine.train({"model_type": "prompt_pack", "name": "cortex", "pack": pack.to_json() | changes})


def briefer(pack):
    task = pack.tasks["synthesize_research"]
    tasks = pack.to_json()["tasks"]
    return {"tasks": tasks | {"synthesize_research": task.to_json() | {"system": "Be brief."}}}


def test_a_pack_is_registered_like_any_model_and_loads_as_one(asked, cortex):
    import mlflow.pyfunc

    artifact = registered(asked, cortex)
    assert (artifact.model_type, artifact.version) == ("prompt_pack", "1")
    folder = asked.workbench.registry.local_path("cortex", "1")
    loaded = mlflow.pyfunc.load_model(str(folder.parent.parent))
    frame = pd.DataFrame({"task": ["plan_task"], "variables": [json.dumps({"goal": "Rebalance"})]})
    messages = json.loads(loaded.predict(frame)["messages"][0])
    assert messages[-1] == {"role": "user", "content": "Goal: Rebalance\n"}


@pytest.mark.slow
@pytest.mark.usefixtures("questions")
def test_the_first_pack_goes_live_after_two_approvals_and_a_worse_one_does_not_follow(
    asked, cortex, endpoint
):
    bench = asked.workbench
    first = registered(asked, cortex)
    card = asked.evaluate(first.artifact_id, "prompt_eval_v1")
    assert card["metrics"]["schema_valid_rate"] == 1.0
    assert card["metrics"]["citation_coverage"] == 1.0
    assert card["metrics"]["refusal_rate"] == 0.0
    assert (card["baseline"], card["sessions"]) == (None, MIN_ITEMS)
    asked.rollout(first.artifact_id, {"stage": "shadow"})
    with pytest.raises(RolloutDenied):
        asked.rollout(first.artifact_id, {"stage": "active"})
    approved(asked, first)
    asked.rollout(first.artifact_id, {"stage": "active"})
    assert bench.registry.state("cortex", "1") is State.ACTIVE
    assert prompt_aliases(bench) == {"active": "1", "pack-1": "1"}

    asked_before = len(endpoint.asked)
    second = registered(asked, cortex, **briefer(cortex))
    card = asked.evaluate(second.artifact_id, "prompt_eval_v1")
    assert len(endpoint.asked) == asked_before + MIN_ITEMS  # the incumbent's answers were recorded
    assert card["metrics"]["citation_coverage"] == pytest.approx(2 / 3, abs=0.01)
    assert card["differences"]["citation_coverage"]["verdict"] == "fail"
    asked.rollout(second.artifact_id, {"stage": "shadow"})
    assert prompt_aliases(bench) == {"active": "1", "pack-1": "1", "shadow": "2", "pack-2": "2"}
    approved(asked, second)
    with pytest.raises(RolloutDenied):
        asked.rollout(second.artifact_id, {"stage": "active"})
    refused = refused_rules(bench, second)
    assert {"measure_not_inferior:citation_coverage", "shadow_duration"} <= refused
    assert "measure_not_inferior:schema_valid_rate" not in refused
    assert bench.registry.active_version("cortex") == "1"
    bench.registry.roll_back("cortex", reason="drill")
    assert prompt_aliases(bench) == {"pack-1": "1", "shadow": "2", "pack-2": "2"}


@pytest.mark.usefixtures("questions")
def test_what_was_recorded_is_replayed_without_an_endpoint(asked, cortex, endpoint):
    artifact = registered(asked, cortex)
    asked.evaluate(artifact.artifact_id, "prompt_eval_v1")
    bench = with_settings(asked, learn_llm_url=None, learn_llm_cassette_mode="replay").workbench
    count = len(endpoint.asked)
    again = evaluate_answers(bench, artifact, "prompt_eval_v1")
    assert again.metrics["citation_coverage"] == 1.0
    assert len(endpoint.asked) == count
    other = registered(asked, cortex, **briefer(cortex))
    with pytest.raises(CassetteMissing, match="no recording"):
        evaluate_answers(bench, other, "prompt_eval_v1")


@pytest.mark.usefixtures("questions")
def test_what_cannot_be_asked_is_refused_by_name(engine, asked, cortex):
    artifact = registered(asked, cortex)
    with pytest.raises(BenchDataMissing, match="packs questions"):
        asked.evaluate(artifact.artifact_id, "another_pack")
    plan = cortex.to_json()["tasks"]["plan_task"]
    other = registered(asked, cortex, tasks={"plan_task": plan})
    with pytest.raises(ConfigInvalid, match="the pack has plan_task"):
        asked.evaluate(other.artifact_id, "prompt_eval_v1")
    with pytest.raises(ConfigInvalid, match="LEARN_LLM_URL"):
        engine.evaluate(artifact.artifact_id, "prompt_eval_v1")
    with pytest.raises(ArtifactMissing):
        asked.evaluate("cortex-none", "prompt_eval_v1")
    with pytest.raises(ConfigInvalid, match=r"pack\.tasks"):
        engine.train({"model_type": "prompt_pack", "name": "cortex", "pack": {"tasks": {}}})
