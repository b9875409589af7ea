"""A team that never heard of Ordinis puts the plugin before its own registry, by what the docs tell it to type."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]


@pytest.fixture
def type_in(tmp_path):
    """Run a command with the registry's database, or with a server in front of it."""

    def typed(*arguments, registry, fails=False):
        around = {"ORDINIS_HOME": str(tmp_path), "MLFLOW_REGISTRY_URI": registry, "ORDINIS_ACTOR": "grace"}
        around["MLFLOW_TRACKING_URI"] = registry if registry.startswith("http") else None
        done = CliRunner().invoke(main, arguments, env=around)
        assert (done.exit_code != 0) == fails, done.output
        return done.output

    return typed


def registered(client, *, name="fraud_score", **metrics):
    """Log a run and a model of no flavour we know, and register it as any client does."""
    run = client.create_run("0", tags={"mlflow.user": "ada"})
    for key, value in metrics.items():
        client.log_metric(run.info.run_id, key, value)
    client.log_text(run.info.run_id, f"flavors: {{custom: {{auc: {metrics}}}}}\n", "model/MLmodel")
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    source = f"{run.info.artifact_uri}/model"
    return client.create_model_version(name, source, run_id=run.info.run_id).version


def test_a_metric_and_a_second_person_decide(tmp_path, serving, type_in):
    database = f"ordinis+sqlite:///{tmp_path / 'ordinis.db'}"
    type_in(
        "policy",
        "new",
        "team_v1",
        "--names",
        "fraud_*",
        "--metric",
        "val_auc",
        "--at-least",
        "0.8",
        registry=database,
    )
    type_in("policy", "adopt", "team_v1", "--reason", "our first", registry=database)
    type_in("keys", "create", "risk", "--role", "approver", registry=database)
    with serving(tmp_path) as address:
        client = MlflowClient(tracking_uri=address, registry_uri=address)
        first = registered(client, val_auc=0.85)
        with pytest.raises(MlflowException, match="not a step of the life cycle"):
            client.transition_model_version_stage("fraud_score", first, "active")
        client.transition_model_version_stage("fraud_score", first, "shadow")
        with pytest.raises(MlflowException, match="ordinis-learn approve fraud_score 1"):
            client.transition_model_version_stage("fraud_score", first, "active")
        type_in("approve", "fraud_score", first, "--as", "risk", "--comment", "read", registry=address)
        client.transition_model_version_stage("fraud_score", first, "active")
        assert client.get_model_version_by_alias("fraud_score", "active").version == first

        worse = registered(client, val_auc=0.84)
        type_in("promote", "fraud_score", worse, "shadow", registry=address)
        type_in("approve", "fraud_score", worse, "--as", "risk", registry=address)
        refused = type_in("promote", "fraud_score", worse, "active", registry=address, fails=True)
        assert "0.84 over 0.85" in refused
        better = registered(client, val_auc=0.9)
        type_in("promote", "fraud_score", better, "shadow", registry=address)
        type_in("approve", "fraud_score", better, "--as", "risk", registry=address)
        type_in("promote", "fraud_score", better, "active", registry=address)
        free = registered(client, name="churn", val_auc=0.1)
        client.set_registered_model_alias("churn", "active", free)
        client.transition_model_version_stage("churn", free, "Production")
        assert f"v{first} is ACTIVE again" in type_in(
            "rollback", "fraud_score", "--reason", "complaints", registry=address
        )
        gone = type_in("approve", "fraud_score", "9", "--as", "risk", registry=address, fails=True)
        assert "version=9) not found" in gone
    history = type_in("ledger", "history", "fraud_score", registry=database)
    assert history.count("rollout.allowed") == 5
    assert "the ledger verifies" in type_in("ledger", "verify", registry=database)
    type_in("dossier", "fraud_score", better, registry=database)
    told = json.loads((tmp_path / "data" / "reports" / f"fraud_score-v{better}.json").read_text())
    assert told["artifact"] is None
    assert told["state"] == "RETIRED"
    assert [one["to_state"] for one in told["decisions"] if one["allowed"]] == ["SHADOW", "ACTIVE"]
    page = (tmp_path / "data" / "reports" / f"fraud_score-v{better}.html").read_text()
    assert "nobody signed how they were made" in page
    flat = type_in("rollback", "fraud_score", "--reason", "the server is down", registry=database)
    assert "fraud_score is FLAT" in flat


def test_a_chain_that_is_not_here_is_said(tmp_path, type_in):
    said = type_in(
        "ledger",
        "history",
        "fraud_score",
        registry=f"ordinis+sqlite:///{tmp_path / 'ordinis.db'}",
        fails=True,
    )
    assert "MLFLOW_REGISTRY_URI=ordinis+sqlite" in said
