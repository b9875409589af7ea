"""Failed trainings are counted in one place, and nothing about their alerts replaces the training's own end."""

import logging
from dataclasses import replace

import pytest

from ordinis_learn.errors import BenchDataMissing, ConfigInvalid, DataMissing, StoreUnavailable, TrainFailed
from ordinis_learn.use_cases.failed_trainings import alerts_when_it_fails, see_failed_trainings
from ordinis_learn.use_cases.stages import asked_to_train, stage
from ordinis_learn.use_cases.train import parse_config, train
from ordinis_learn.use_cases.train_embedding import parse_embedding, train_embedding
from ordinis_learn.use_cases.tune_prompts import PromptTuneConfig, tune_prompts
from ordinis_registry import SqlCatalogue

CONFIG = {"name": "m", "model": "rule"}

PACK = {
    "tasks": {
        "answer": {
            "system": "Answer.",
            "user": "{{question}}",
            "variables": ["question"],
            "examples": [{"variables": {"question": "?"}, "output": {"said": "!"}}],
            "output_schema": {"type": "object"},
        }
    },
    "parameters": {"model": "m"},
}


@pytest.fixture
def bench(bench, clock):
    """The desk's workbench, whose catalogue goes by the test's clock as well."""
    return replace(bench, catalogue=SqlCatalogue(bench.alerts._database, clock=clock))


class Failing:
    """A tracker that fails whatever it is asked."""

    def __getattr__(self, name):
        raise TrainFailed("train", found="no luck", next_step="none")


class Broken:
    """An alert book that cannot be used, in a way that nobody translated."""

    def __getattr__(self, name):
        raise OSError("a fault of this test")


def attempt(bench, config=None):
    with pytest.raises(TrainFailed) as caught:
        train(replace(bench, tracker=Failing()), parse_config(CONFIG | (config or {})), sleep=lambda _: None)
    return caught.value


def standing(bench, name="m"):
    return [(alert.kind, alert.repeats) for alert in bench.alerts.alerts(name)]


def test_three_failures_within_a_day_are_one_alert_counted_once_and_closed_by_a_success(bench, clock):
    for _ in range(3):
        assert standing(bench) == []
        attempt(bench)
        clock.advance(hours=1)
    assert standing(bench) == [("train_failed", 1)]
    (alert,) = bench.alerts.alerts("m")
    assert "3 trainings of m failed within 24 h" in alert.summary
    assert "E_LEARN_TRAIN_FAILED: no luck" in alert.summary
    assert bench.catalogue.failures("train") == {"signal_model": 3}
    see_failed_trainings(bench, "m")
    assert standing(bench) == [("train_failed", 1)]  # nothing has failed since
    attempt(bench)
    assert standing(bench) == [("train_failed", 2)]
    train(bench, parse_config(CONFIG))
    assert standing(bench) == []
    clock.advance(hours=25)
    attempt(bench)
    assert standing(bench) == []


def test_what_is_mistyped_is_no_failed_training(bench):
    for _ in range(4):
        with pytest.raises(DataMissing, match="no_such"):
            train(bench, parse_config({"name": "m", "dataset": "no_such"}))
        with pytest.raises(ConfigInvalid):
            train(bench, parse_config(CONFIG | {"rule": {"no_such_field": 1}}))
        with pytest.raises(DataMissing):
            train_embedding(bench, parse_embedding({"name": "m", "dataset": "no_such", "documents": "d"}))
    assert bench.catalogue.failures("train") == {}
    assert standing(bench) == []


def test_an_embedding_model_and_a_search_for_examples_alert_as_well(bench):
    for _ in range(3):
        with pytest.raises(TrainFailed):
            train_embedding(
                replace(bench, tracker=Failing()),
                parse_embedding({"name": "texts", "epochs": 0}),
                sleep=lambda _: None,
            )
    assert standing(bench, "texts") == [("train_failed", 1)]
    assert bench.catalogue.failures("train") == {"embed_model": 3}
    tuned = PromptTuneConfig(name="pack", pack=PACK, task="answer", questions="q")
    for made in (False, True):
        if made:  # a folder that holds no pack is broken, one that is not there was mistyped
            (bench.settings.bench_dir / "q").mkdir(parents=True)
        for _ in range(3):
            with pytest.raises(BenchDataMissing):
                tune_prompts(bench, tuned)
        assert standing(bench, "pack") == ([("train_failed", 1)] if made else [])


def test_an_unreadable_response_policy_is_said_beside_the_training_s_own_error(bench):
    settings = bench.settings.model_copy(update={"learn_response_policy": "no_such_policy"})
    error = attempt(replace(bench, settings=settings))
    assert error.found == "no luck"
    (note,) = [one for one in error.__notes__ if "alerts about failed trainings" in one]
    assert "no_such_policy" in note or "policy" in note
    assert bench.catalogue.failures("train") == {"signal_model": 1}


def test_a_training_that_succeeded_stands_whatever_becomes_of_its_alert(bench, caplog):
    broken = replace(bench, alerts=Broken())
    with caplog.at_level(logging.WARNING):
        made = train(broken, parse_config(CONFIG))
    assert bench.registry.incumbent("m") is None
    assert bench.catalogue.artifact(made.artifact_id) == made
    assert "the training stands" in caplog.text


def test_a_failure_that_cannot_be_counted_keeps_its_own_error(bench):
    class Forgetful:
        def __getattr__(self, name):
            if name in {"add_failure", "failures_of"}:
                raise StoreUnavailable("write", found="a full disk", next_step="make room")
            return getattr(bench.catalogue, name)

    error = attempt(replace(bench, catalogue=Forgetful()))
    assert error.found == "no luck"
    assert sum("a full disk" in note for note in error.__notes__) == 2


def test_the_wrapper_is_about_any_counted_step(bench):
    @alerts_when_it_fails
    @stage("train", asked=asked_to_train)
    def fails(_, config):
        raise TrainFailed("train", found=config.name, next_step="none")

    for _ in range(3):
        with pytest.raises(TrainFailed):
            fails(bench, parse_config(CONFIG))
    assert standing(bench) == [("train_failed", 1)]
