"""A stock client against a real ``mlflow server`` that runs on the governed store."""

from __future__ import annotations

import shutil

import pytest
from mlflow import MlflowClient  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.errors import EvidenceInvalid, RolloutDenied
from ordinis_learn.records import State, tree_sha256
from ordinis_mlflow.registry import MlflowModelRegistry
from ordinis_registry import GovernanceDatabase

MODEL = "sp500_signal"


@pytest.fixture
def server(tmp_path, empty_database, serving):
    shutil.copyfile(empty_database, tmp_path / "ordinis.db")
    with serving(tmp_path) as address:
        yield address


def log_model(client, folder):
    """Log a small model through the server's artifact proxy; return its id."""
    bundle = folder / "logged" / "data" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "model.json").write_text("{}")
    (folder / "logged" / "MLmodel").write_text("flavors:\n  python_function:\n    data: data/bundle\n")
    model = client.create_logged_model(experiment_id="0", name="signal")
    client.log_model_artifacts(model.model_id, str(folder / "logged"))
    client.finalize_logged_model(model.model_id, "READY")
    return model.model_id


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_stock_client_is_refused_then_allowed(server, make_desk, tmp_path, monkeypatch):
    monkeypatch.setenv("ORDINIS_ACTOR", "researcher")
    desk = make_desk()
    client = MlflowClient(tracking_uri=server, registry_uri=server)
    client.create_registered_model(MODEL)
    model_id = log_model(client, tmp_path)
    made = client.create_model_version(MODEL, f"models:/{model_id}", model_id=model_id)
    version = str(made.version)
    assert desk.reference(version).artifact_sha256 == tree_sha256(tmp_path / "logged")

    with pytest.raises(MlflowException) as caught:
        client.transition_model_version_stage(MODEL, version, "shadow")
    assert caught.value.error_code == "PERMISSION_DENIED"
    assert "E_LEARN_ROLLOUT_DENIED" in caught.value.message
    # Asked once: a client repeats what it gets a 5xx for.
    assert [record.action for record in desk.ledger.history(MODEL)].count("rollout.denied") == 1
    with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
        client.set_registered_model_alias(MODEL, "ACTIVE", version)

    def submit(key, text):
        client.set_model_version_tag(MODEL, version, key, text)

    desk.attest(version, submit=submit)
    assert client.transition_model_version_stage(MODEL, version, "shadow").current_stage == "Staging"
    with pytest.raises(MlflowException, match="E_LEARN_APPROVAL_MISSING"):
        client.transition_model_version_stage(MODEL, version, "active")
    desk.approve(version, submit=submit)
    client.transition_model_version_stage(MODEL, version, "active")
    assert str(client.get_model_version_by_alias(MODEL, "active").version) == version
    assert str(client.get_latest_versions(MODEL, ["active"])[0].version) == version
    remote = [record.actor for record in desk.ledger.history(MODEL) if record.action.startswith("rollout")]
    assert {(actor.name, actor.kind) for actor in remote} == {("researcher", "claimed")}
    assert desk.ledger.verify() == []

    adapter_over_rest(server, desk, version)


def adapter_over_rest(server, desk, first):
    """The registry port over the same server, after a first version is active."""
    from ordinis_mlflow.registry import MlflowModelRegistry

    registry = MlflowModelRegistry(registry_uri=server, tracking_uri=server, database=desk.database)
    assert registry.active_version(MODEL) == first
    assert registry.state(MODEL, first) is State.ACTIVE
    assert (registry.local_path(MODEL, first) / "model.json").read_text() == "{}"
    assert [approval.approver for approval in registry.approvals(MODEL, first)] == ["model-risk"]
    with pytest.raises(RolloutDenied) as denied:
        registry.transition(MODEL, first, State.SHADOW)
    assert denied.value.data["decision"].from_state is State.ACTIVE
    with pytest.raises(EvidenceInvalid):
        registry.submit_evidence(MODEL, first, key="ordinis.evidence.shadow", envelope="{}")
    registry.hold(MODEL, first, reason="inquiry")
    with pytest.raises(RolloutDenied, match="not RETIRED"):
        registry.prune(MODEL, first)
    registry.release(MODEL, first, reason="closed")
    assert registry.roll_back(MODEL, reason="drill") is None
    assert registry.active_version(MODEL) is None


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_is_in_use_is_known_behind_a_server_too(server, make_desk, tmp_path):
    desk = make_desk()
    registry = MlflowModelRegistry(
        registry_uri=server,
        tracking_uri=server,
        database=GovernanceDatabase(f"sqlite:///{tmp_path / 'own.db'}"),
    )
    desk.promote(desk.register())
    desk.promote(desk.register())
    assert registry.standings() == {MODEL: ("2", "2", ())}
    third = desk.register()
    desk.attest(third)
    desk.move(third, "shadow")
    assert registry.standings() == {MODEL: ("2", "2", ("3",))}
