"""The stages in one run, what is found of them the next time, and what the gate answers."""

from dataclasses import replace

import pytest

from ordinis_learn import LearningEngine
from ordinis_learn.errors import BenchDataMissing, ConfigInvalid
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training import Provenance

from .conftest import WINDOW

CONFIG = {
    "dataset_id": "core",
    "window": WINDOW,
    "train": {"name": "piped", "rounds": 20, "folds": 2, "train_until": "1993-06-30"},
    "packs": ["bench_core_v1"],
    "request": "active",
}
CLEAN = Provenance(code_commit="c0ffee", code_dirty=False, dirty_patch="", env_hash="11" * 32)


@pytest.fixture
def clean(engine):
    """The desk, as seen from a checkout without changes."""
    return LearningEngine(replace(engine.workbench, provenance=lambda: CLEAN))


def outcomes(report):
    return {stage["name"]: stage["outcome"] for stage in report["stages"]}


def children(engine, run_id):
    """Return the names of the runs below one, as MLflow has them."""
    from mlflow import MlflowClient

    from ordinis_learn.wiring import tracking_uri

    client = MlflowClient(tracking_uri=tracking_uri(engine.workbench.settings))
    run = client.get_run(run_id)
    below = client.search_runs(
        [run.info.experiment_id], filter_string=f"tags.mlflow.parentRunId = '{run_id}'"
    )
    return {child.info.run_name for child in below}, run.info.status


def test_a_refusal_is_an_answer_and_the_second_time_everything_is_found(clean):
    first = clean.pipeline(CONFIG)
    assert outcomes(first) == {
        "dataset": "found",
        "train": "done",
        "evaluate on bench_core_v1": "done",
        "request active": "refused",
    }
    names, status = children(clean, first["run_id"])
    assert status == "FINISHED"
    assert names == {
        "dataset: found",
        "train piped",
        "evaluate piped v1 on bench_core_v1",
        "request active: refused",
    }
    again = clean.pipeline(CONFIG)
    assert outcomes(again) == {
        "dataset": "found",
        "train": "found",
        "evaluate on bench_core_v1": "found",
        "request active": "refused",
    }
    assert again["artifact_id"] == first["artifact_id"]


def test_a_scorecard_of_other_limits_is_not_the_one_that_is_asked_for(clean):
    asked = {**CONFIG, "request": None}
    clean.pipeline(asked)
    bench = clean.workbench
    longs = bench.settings.model_copy(update={"bench_shorts": False})
    again = LearningEngine(replace(bench, settings=longs)).pipeline(asked)
    assert outcomes(again)["evaluate on bench_core_v1"] == "done"
    assert not bench.catalogue.scorecards(again["artifact_id"])[-1].trading.shorts
    # The gate has the newest one as evidence: an older one of these limits is no answer.
    assert outcomes(clean.pipeline(asked))["evaluate on bench_core_v1"] == "done"
    assert outcomes(clean.pipeline(asked))["evaluate on bench_core_v1"] == "found"


def test_what_the_gate_grants_is_found_the_next_time(clean):
    asked = CONFIG | {"request": "shadow"}
    assert outcomes(clean.pipeline(asked))["request shadow"] == "granted"
    assert outcomes(clean.pipeline(asked))["request shadow"] == "found"


@pytest.mark.slow
def test_what_differs_is_done_again(clean):
    first = clean.pipeline(CONFIG | {"request": None})
    other_seed = clean.pipeline(CONFIG | {"request": None, "train": CONFIG["train"] | {"seed": 8}})
    assert outcomes(other_seed)["train"] == "done"
    assert other_seed["version"] != first["version"]
    assert "request active" not in outcomes(first)
    newer = replace(clean.workbench, provenance=lambda: replace(CLEAN, code_commit="beef"))
    assert outcomes(LearningEngine(newer).pipeline(CONFIG | {"request": None}))["train"] == "done"
    dirty = replace(clean.workbench, provenance=lambda: replace(CLEAN, code_dirty=True))
    assert outcomes(LearningEngine(dirty).pipeline(CONFIG | {"request": None}))["train"] == "done"


@pytest.mark.slow
def test_a_new_window_is_built(clean):
    window = WINDOW | {"end": "1993-06-30"}
    report = clean.pipeline(CONFIG | {"window": window, "request": None})
    assert outcomes(report)["dataset"] == "done"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"packs": ["nowhere"]}, BenchDataMissing),
        ({"train": {"name": "piped", "model": "forest"}}, ConfigInvalid),
        ({"window": {"start": "1991-01-02"}}, ConfigInvalid),
        ({"window": WINDOW | {"kind": "rag_eval"}}, ConfigInvalid),
        ({"request": "production"}, ConfigInvalid),
        ({"packs": []}, ConfigInvalid),
        ({"extra": 1}, ConfigInvalid),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_run_is_opened(clean, tmp_path, change, error):
    tracker = InMemoryTracker(tmp_path / "runs")
    watched = LearningEngine(replace(clean.workbench, tracker=tracker))
    with pytest.raises(error):
        watched.pipeline(CONFIG | change)
    assert tracker.runs == []
