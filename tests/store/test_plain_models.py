"""A team without any evidence of ours gates plain MLflow models by metrics of their runs."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253

POLICY = """
schema_version: "1.0.0"
policy_id: plain
governs: {names: ["*"], model_types: [signal_model]}
packs: [none]
rules:
  signal_model:
    shadow: &shadow
      default: [{artifact_intact: {attested: false}}, evidence_verified]
      first_model: [{artifact_intact: {attested: false}}, evidence_verified]
    active:
      default:
        - artifact_intact: {attested: false}
        - evidence_verified
        - run_metric: {name: val_auc, at_least: 0.01, over: incumbent}
        - run_metric: {name: loss, at_most: 0.7}
        - approvals: {count: 1, max_age_days: 30}
      first_model:
        - artifact_intact: {attested: false}
        - evidence_verified
        - run_metric: {name: val_auc, at_least: 0.6}
        - approvals: {count: 1, max_age_days: 30}
"""


@pytest.fixture
def plain(desk):
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    (desk.home / "policies").mkdir()
    (desk.home / "policies" / "plain.yaml").write_text(POLICY)
    desk.store.engine.dispose()
    desk.store = OrdinisSqlAlchemyStore(
        desk.url, settings=desk.settings, clock=desk.clock, policy_id="plain", tracking_uri=desk.url
    )
    desk.client = MlflowClient(tracking_uri=desk.url)
    desk.experiment = desk.client.create_experiment("plain", artifact_location=desk.home.as_uri())
    return desk


def register(desk, *, user="researcher", **metrics):
    run = desk.client.create_run(desk.experiment, tags={"mlflow.user": user})
    for name, value in metrics.items():
        desk.client.log_metric(run.info.run_id, name, value)
    version = desk.register(run_id=run.info.run_id)
    desk.move(version, "shadow")
    return version, run.info.run_id


def test_the_first_is_held_to_a_limit_and_the_next_to_the_incumbent(plain):
    first, _ = register(plain, val_auc=0.62)
    plain.approve(first)
    plain.move(first, "active")
    worse, _ = register(plain, val_auc=0.625, loss=0.6)
    plain.approve(worse)
    with pytest.raises(MlflowException, match=r"0\.625 over 0\.62: \+0\.005"):
        plain.move(worse, "active")
    better, _ = register(plain, val_auc=0.64, loss=0.6)
    plain.approve(better)
    plain.move(better, "active")
    assert plain.active() == better
    assert {one.outcome for one in plain.ledger.replay()} == {"identical"}


def test_a_metric_that_is_not_there_closes_the_gate(plain):
    version, _ = register(plain, loss=0.1)
    plain.approve(version)
    with pytest.raises(MlflowException, match="run_metric:val_auc"):
        plain.move(version, "active")


def test_a_metric_changed_after_the_approval_voids_it(plain):
    version, run_id = register(plain, val_auc=0.7)
    plain.approve(version)
    plain.client.log_metric(run_id, "val_auc", 0.9)
    with pytest.raises(MlflowException, match="the evidence has changed since"):
        plain.move(version, "active")


def test_who_ran_it_does_not_approve_it(plain):
    version, _ = register(plain, user="model-risk", val_auc=0.7)
    plain.approve(version)
    with pytest.raises(MlflowException, match="who trained it may not approve"):
        plain.move(version, "active")


def test_changed_bytes_are_seen_without_a_training_statement(plain):
    version, _ = register(plain, val_auc=0.7)
    plain.approve(version)
    (plain.address(version) / "MLmodel").write_text("exchanged")
    with pytest.raises(MlflowException, match="artifact_intact"):
        plain.move(version, "active")


def test_a_policy_that_has_decided_does_not_change(plain):
    version, _ = register(plain, val_auc=0.7)
    plain.approve(version)
    path = plain.home / "policies" / "plain.yaml"
    path.write_text(POLICY.replace("at_least: 0.6}", "at_least: 0.1}"))
    plain.store._policy = None
    with pytest.raises(MlflowException, match="GOV_POLICY_VERSION=plain_b"):
        plain.move(version, "active")
    plain.move(version, "retired")
    path.write_text("# a comment decides nothing\n" + POLICY)
    plain.store._policy = None
    plain.move(version, "shadow")
