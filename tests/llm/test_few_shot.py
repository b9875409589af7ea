"""Examples are chosen on one half of the questions, at a bounded cost, and judged on what is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn import LearningEngine
from ordinis_learn.answers import (
    MIN_ITEMS,
    clusters_by_document,
    pack_questions,
    question_marks,
    tuning_half,
    unseen_questions,
    write_questions,
)
from ordinis_learn.cli import main
from ordinis_learn.errors import ConfigInvalid, CostCapReached, DataMissing, EvalFailed
from ordinis_learn.llm import CostCapped, Prices
from ordinis_learn.llm._http import HttpChatModel
from ordinis_learn.prompts import PromptPack, read_pack_file
from ordinis_learn.records import Question, QuestionDocument
from ordinis_learn.use_cases.tune_prompts import PromptTuneConfig, tune_prompts

from .conftest import completion  # isort: skip

TASK = "synthesize_research"


def question(number):
    doc_id = f"10-Q-{number // 5}"
    return Question(
        item_id=f"q{number:03d}",
        task=TASK,
        variables={"query": f"Did margins improve in quarter {number}?"},
        documents=(QuestionDocument(doc_id=doc_id, text="Margin was 41 %."),),
        required=(doc_id,),
    )


def written(engine, count, name="prompt_eval_v1"):
    pack = pack_questions(
        name,
        [question(number) for number in range(count)],
        source_ref="answers@1",
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    write_questions(pack, root=engine.workbench.settings.bench_dir)
    return pack


@pytest.fixture
def candidates(cortex_file):
    """The worked example with five examples to choose from, of which the fourth alone teaches anything."""
    pack = read_pack_file(cortex_file)
    task = pack.tasks[TASK]
    (example,) = task.examples
    several = tuple(
        example.model_copy(update={"variables": {**example.variables, "query": f"example {number}?"}})
        for number in range(1, 6)
    )
    return pack.model_copy(update={"tasks": {TASK: task.model_copy(update={"examples": several})}})


def says(asked):
    said = json.dumps(asked["messages"])
    doc_id = asked["messages"][-1]["content"].split("doc_id: ")[1].split(";")[0]
    cites = doc_id if "example 4?" in said else "a made-up note"
    claims = [{"text": "Margin was 41 %.", "citations": [{"doc_id": cites}]}]
    return 200, {}, completion(json.dumps({"claims": claims, "uncertainties": []}))


@pytest.mark.slow  # some two thousand requests over a socket
def test_the_example_that_helps_is_found_recorded_and_judged_on_other_questions(
    engine, endpoint, candidates, tmp_path
):
    endpoint.script = [says]
    bench = engine.workbench
    desk = LearningEngine(
        replace(
            bench,
            settings=bench.settings.model_copy(
                update={"learn_llm_url": endpoint.url, "learn_llm_cassette": tmp_path / "cassette"}
            ),
        )
    )
    written(engine, MIN_ITEMS)
    larger = written(engine, 2 * MIN_ITEMS + 10, name="larger_v1")
    config = PromptTuneConfig(
        name="cortex", pack=candidates, task=TASK, questions="larger_v1", shots=2, trials=10, earlier_trials=3
    )
    artifact = tune_prompts(desk.workbench, config)
    found = desk.workbench.registry.local_path("cortex", artifact.version)
    pack = PromptPack.model_validate_json((found / "pack.json").read_bytes())
    assert pack.tuning is not None
    assert 4 in pack.tuning.chosen
    assert [one.variables["query"] for one in pack.tasks[TASK].examples] == [
        f"example {number}?" for number in pack.tuning.chosen
    ]
    assert (artifact.trials, pack.tuning.trials, pack.tuning.score) == (13, 10, 1.0)
    half = tuning_half(larger.items, seed=7)
    queries = {
        asked["messages"][-1]["content"].split("quarter ")[1].split("?")[0] for asked in endpoint.asked
    }
    assert queries == {str(int(item.item_id[1:])) for item in half}
    assert len(endpoint.asked) <= 10 * len(half)

    asked_before = len(endpoint.asked)
    again = tune_prompts(desk.workbench, config)  # replayed: the same search finds the same, and asks nobody
    folder = desk.workbench.registry.local_path("cortex", again.version)
    assert (folder / "pack.json").read_bytes() == (found / "pack.json").read_bytes()
    assert len(endpoint.asked) == asked_before

    card = desk.evaluate(artifact.artifact_id, "larger_v1")
    assert set(card["purged_windows"]) == {item.item_id for item in half}
    assert card["sessions"] == len(larger.items) - len(half)
    assert card["metrics"]["citation_coverage"] == 1.0
    with pytest.raises(EvalFailed, match="questions are left"):
        desk.evaluate(artifact.artifact_id, "prompt_eval_v1")
    shown = CliRunner().invoke(
        main, ["--home", str(bench.settings.home), "prompts", "show", "cortex", "--version", artifact.version]
    )
    assert "best of 10 trials on" in shown.output


@pytest.mark.slow  # some thousand requests over a socket
def test_a_killed_command_is_given_again_and_asks_for_no_trial_twice(
    engine,
    endpoint,
    candidates,
    tmp_path,
):
    endpoint.script = [says]
    bench = engine.workbench
    written(engine, MIN_ITEMS)
    file = tmp_path / "cortex.json"
    file.write_bytes(candidates.canonical())
    home = bench.settings.home
    command = [sys.executable, "-Im", "ordinis_learn", "--home", str(home), "prompts", "tune", str(file)]
    command += ["--name", "cortex", "--task", TASK, "--shots", "1", "--trials", "5"]
    environment = os.environ | {"LEARN_LLM_URL": endpoint.url}
    journal = bench.settings.studies_dir / "cortex.log"
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    # Optuna writes operation 6 where a trial gets its state.
    while (journal.read_text().count('"op_code":6') if journal.exists() else 0) < 2:
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    before = len(endpoint.asked)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "cortex v1 is a CANDIDATE after 5 trials" in done.stdout
    half = MIN_ITEMS // 2
    assert len(endpoint.asked) - before <= 3 * half
    (artifact,) = bench.catalogue.artifacts("cortex")
    pack = PromptPack.model_validate_json(
        (bench.registry.local_path("cortex", artifact.version) / "pack.json").read_bytes()
    )
    assert (artifact.trials, pack.tuning.trials) == (5, 5)


def test_what_cannot_be_tuned_is_refused_and_the_cap_holds_over_all_trials(engine, endpoint, candidates):
    endpoint.script = [says]
    bench = engine.workbench
    written(engine, MIN_ITEMS)
    model = HttpChatModel(endpoint.url, api_key=None, timeout_s=5.0)

    def tuned(**changes):
        asked = {"name": "cortex", "pack": candidates, "task": TASK, "questions": "prompt_eval_v1"} | changes
        return tune_prompts(bench, PromptTuneConfig.model_validate(asked), model=model)

    few = candidates.tasks[TASK].model_copy(update={"examples": ()})
    for changes, error, words in (
        ({"task": "plan"}, ConfigInvalid, "the pack has synthesize_research"),
        ({"pack": candidates.model_copy(update={"tasks": {TASK: few}})}, ConfigInvalid, "no examples"),
        (
            {
                "pack": candidates.model_copy(update={"tasks": {"other": candidates.tasks[TASK]}}),
                "task": "other",
            },
            DataMissing,
            "0 groups of documents",
        ),
    ):
        with pytest.raises(error, match=words):
            tuned(**changes)
    assert endpoint.asked == []
    # A request is set aside at its dearest, about 1,024 tokens of answer: enough for some of one trial's hundred.
    model = CostCapped(model, prices=Prices(prompt=0.0, completion=1e6), cap=1500.0)
    with pytest.raises(CostCapReached):
        tuned()
    assert 0 < len(endpoint.asked) < 100
    assert not bench.catalogue.artifacts("cortex")


@st.composite
def several(draw):
    links = draw(
        st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=2, unique=True), min_size=1, max_size=20)
    )
    return [
        Question(
            item_id=f"q{n}",
            task="t",
            variables={"query": f"{n}"},
            documents=[{"doc_id": one} for one in names],
            required=names,
        )
        for n, names in enumerate(links)
    ]


@settings(deadline=None)
@given(several(), st.integers(0, 5))
def test_no_judged_question_leans_on_what_was_tuned_on(items, seed):
    half = tuning_half(items, seed=seed)
    assert half == tuning_half(items, seed=seed)
    seen = {mark for item in half for mark in question_marks(item)}
    rest = unseen_questions(items, seen=seen)
    assert set(rest.left_out) == {item.item_id for item in half}
    documents = [{one for item in side for one in item.required} for side in (half, rest.items)]
    assert not documents[0] & documents[1]
    if len(set(clusters_by_document(items))) == len(items):
        assert len(half) == len(items) // 2
