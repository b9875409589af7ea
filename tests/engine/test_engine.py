"""The specification's interface, as a library user meets it."""

from __future__ import annotations

import inspect
from datetime import date

import pytest

from ordinis_learn import LearningEngine, ModelArtifact
from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, DataMissing, RolloutDenied
from ordinis_learn.records import Actor, Role, State
from ordinis_learn.use_cases.approve import answer_request
from ordinis_learn.use_cases.dossier import write_dossier
from ordinis_learn.use_cases.drift import check_model_drift
from ordinis_learn.use_cases.refusals import refused_rules
from ordinis_learn.use_cases.shadow import shadow
from ordinis_learn.use_cases.sign import create_identity, reference

SPEC_CALLS = {
    "record_event": ("self", "event"),
    "build_dataset": ("self", "dataset_id", "window"),
    "train": ("self", "train_config"),
    "evaluate": ("self", "artifact_id", "eval_pack_id"),
    "rollout": ("self", "artifact_id", "target"),
}
SPEC_FIELDS = [
    "artifact_id",
    "model_type",
    "version",
    "path_ref",
    "metrics",
    "created_at",
    "data_snapshot_ref",
]


def test_the_engine_has_the_five_calls_of_the_specification_and_one_that_strings_them_together():
    calls = {
        name: tuple(
            parameter.name
            for parameter in inspect.signature(member).parameters.values()
            if parameter.kind is not parameter.KEYWORD_ONLY
        )
        for name, member in inspect.getmembers(LearningEngine, inspect.isfunction)
        if not name.startswith("_")
    }
    assert calls.pop("pipeline") == ("self", "config")
    assert calls == SPEC_CALLS


def test_the_artifact_s_first_fields_are_the_specification_s():
    assert list(ModelArtifact.model_fields)[: len(SPEC_FIELDS)] == SPEC_FIELDS


def test_building_twice_gives_the_same_reference(engine):
    known = engine.workbench.catalogue.dataset("core").ref
    assert engine.build_dataset("core", {"start": "1991-01-02", "end": "1993-12-31"}) == known


def test_training_twice_gives_the_same_predictions_and_metrics(engine):
    config = {"name": "twin", "dataset": "core", "rounds": 20, "folds": 2, "seed": 3}
    first, second = engine.train(config), engine.train(config)
    assert (first.version, second.version) == ("1", "2")
    assert first.metrics == second.metrics
    assert first.config_hash == second.config_hash
    registry = engine.workbench.registry
    one, two = (registry.local_path("twin", version) / "booster.ubj" for version in ("1", "2"))
    assert one.read_bytes() == two.read_bytes()


def test_a_declared_rule_is_refused_then_approved_then_rolled_back_to_flat(engine):
    bench = engine.workbench
    rule = engine.train({"name": "desk_rule", "model": "rule"})
    report = engine.evaluate(rule.artifact_id, "bench_core_v1")
    assert report["subject"]["artifact_sha256"] == rule.artifact_sha256
    assert engine.rollout(rule.artifact_id, {"stage": "shadow"})["state"] == "SHADOW"
    with pytest.raises(RolloutDenied) as refusal:
        engine.rollout(rule.artifact_id, {"stage": "active"})
    assert refusal.value.code == "E_LEARN_ROLLOUT_DENIED"
    assert {"approvals", "shadow_duration", "sessions"} <= refused_rules(bench, rule)

    shadow(bench, rule.artifact_id, start=date(1995, 7, 3), end=date(1995, 12, 29))
    operator = Actor(name="operator", kind="claimed")
    create_identity(bench, "model-risk", roles=(Role.APPROVER,), actor=operator)
    answer_request(
        bench, reference(rule), target=State.ACTIVE, answer="approve", identity="model-risk", comment="read"
    )
    with pytest.raises(RolloutDenied):
        engine.rollout(rule.artifact_id, {"stage": "active"})
    # One year of sessions is less than the thousand that a first model must show: no approval helps.
    assert refused_rules(bench, rule) >= {"sessions"}
    assert "approvals" not in refused_rules(bench, rule)
    assert bench.registry.active_version("desk_rule") is None
    assert engine.rollout(rule.artifact_id, {"rollback": "drill"}) == {
        "name": "desk_rule",
        "active_version": None,
    }
    assert bench.ledger.verify() == []
    html = write_dossier(bench, rule.name, rule.version).read_text(encoding="utf-8")
    assert "desk_rule" in html
    assert html.count("data:image/png;base64,") == 3  # equity, drawdown, regimes
    assert "<script src" not in html


def test_drift_of_a_declared_model_needs_a_reference(engine):
    rule = engine.train({"name": "desk_rule", "model": "rule"})
    report = check_model_drift(
        engine.workbench,
        "desk_rule",
        version=rule.version,
        dataset="core",
        start=date(1995, 1, 3),
        end=date(1995, 12, 20),
    )
    assert {finding.feature for finding in report.findings} >= {"vol_20", "prediction", "outcome"}
    assert engine.workbench.catalogue.drift("desk_rule") == [report]


def test_a_fitted_model_s_outcome_is_not_compared_with_the_rows_it_was_fitted_on(engine):
    fitted = engine.train({"name": "fitted", "dataset": "core", "rounds": 40, "folds": 2})
    report = check_model_drift(
        engine.workbench, "fitted", version=fitted.version, start=date(1995, 1, 3), end=date(1995, 12, 20)
    )
    features = {finding.feature for finding in report.findings}
    assert "prediction" in features
    assert "outcome" not in features


def test_trials_of_all_versions_before_are_counted(engine):
    config = {"name": "fitted", "dataset": "core", "rounds": 10, "folds": 2}
    cards = []
    for seed in (1, 2, 3):
        artifact = engine.train(config | {"seed": seed})
        cards.append(engine.evaluate(artifact.artifact_id, "bench_core_v1"))
    assert [card["trials"] for card in cards] == [1, 2, 3]


def test_rolling_back_a_misspelt_model_is_an_error(engine):
    with pytest.raises(ArtifactMissing):
        engine.workbench.registry.roll_back("desk_rul", reason="losing money")


def test_drift_over_sessions_without_signals_says_so(engine):
    rule = engine.train({"name": "desk_rule", "model": "rule"})
    with pytest.raises(DataMissing, match="ordinis-learn events count"):
        check_model_drift(
            engine.workbench,
            "desk_rule",
            version=rule.version,
            dataset="core",
            start=date(2001, 1, 3),
            end=date(2001, 12, 20),
        )


def test_every_step_leaves_its_event_in_the_outbox(engine):
    artifact = engine.train({"name": "desk_rule", "model": "rule"})
    engine.evaluate(artifact.artifact_id, "bench_core_v1")
    engine.rollout(artifact.artifact_id, {})
    topics = {event["topic"] for event in engine.workbench.catalogue.pending_events()}
    assert topics >= {
        "ordinis.learn.dataset.built",
        "ordinis.learn.model.trained",
        "ordinis.learn.eval.completed",
        "ordinis.learn.rollout.completed",
        "ordinis.bench.pack.generated",
    }


@pytest.mark.parametrize(
    "target", [{"stage": "shadow", "rollback": "x"}, {"phase": "shadow"}, {"stage": "prod"}]
)
def test_a_target_that_means_nothing_is_refused(engine, target):
    artifact = engine.train({"name": "desk_rule", "model": "rule"})
    with pytest.raises(ConfigInvalid):
        engine.rollout(artifact.artifact_id, target)
