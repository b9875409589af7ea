"""The registry port over MLflow's own client, in-process."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient  # noqa: TID253

from ordinis_learn.errors import (
    ArtifactMissing,
    ConfigInvalid,
    DataCorrupt,
    EvidenceInvalid,
    RolloutDenied,
    StoreUnavailable,
)
from ordinis_learn.records import State, tree_sha256
from ordinis_learn.rollout import SHADOW_TAG, TRAINING_TAG, approval_tag
from ordinis_mlflow.registry import MlflowModelRegistry

MODEL = "sp500_signal"
BLANK = "0" * 64


@pytest.fixture
def registry(desk):
    return MlflowModelRegistry(
        registry_uri=f"ordinis+{desk.url}", tracking_uri=desk.url, database=desk.database, clock=desk.clock
    )


@pytest.fixture
def log_model(desk):
    """Log a model through a tracker that is not MLflow's global one; return its address."""
    client = MlflowClient(tracking_uri=desk.url)
    experiment = client.create_experiment("tests", artifact_location=(desk.home / "artifacts").as_uri())

    def log(label):
        model = client.create_logged_model(experiment_id=experiment, name="signal")
        client.log_model_artifacts(model.model_id, str(desk.write_model(label)))
        client.finalize_logged_model(model.model_id, "READY")
        return f"models:/{model.model_id}"

    return log


@pytest.fixture
def registered(desk, registry, log_model):
    """Register versions as training does."""

    def register(label):
        uri = log_model(label)
        draft = desk.training(desk.register(name="elsewhere"), name="elsewhere")
        return registry.register(draft.model_copy(update={"name": MODEL, "version": ""}), model_uri=uri)

    return register


def test_registering_fills_in_version_and_digest(desk, registered, registry):
    artifact = registered("first")
    assert (artifact.version, artifact.path_ref) == ("1", f"models:/{MODEL}/1")
    assert artifact.artifact_sha256 == tree_sha256(desk.folder("first"))
    assert registry.state(MODEL, "1") is State.CANDIDATE
    assert registered("second").version == "2"
    assert desk.store.get_model_version(MODEL, "2").source.startswith("models:/m-")


def test_the_bundle_is_found_and_verified(registered, registry):
    artifact = registered("first")
    folder = registry.local_path(MODEL, artifact.version)
    assert folder.name == "bundle"
    assert (folder / "model.json").read_text() == '{"rule": "first"}'
    (folder / "model.json").write_text("changed")
    with pytest.raises(DataCorrupt):
        registry.local_path(MODEL, artifact.version)


def test_a_refusal_carries_the_decision_and_an_allowed_one_is_returned(desk, registered, registry):
    version = registered("first").version
    with pytest.raises(RolloutDenied) as denied:
        registry.transition(MODEL, version, State.SHADOW)
    assert denied.value.data["decision"].to_state is State.SHADOW
    assert denied.value.data["message"].startswith("E_LEARN_ROLLOUT_DENIED")
    assert "artifact_intact" in denied.value.found

    desk.attest(
        version, submit=lambda key, text: registry.submit_evidence(MODEL, version, key=key, envelope=text)
    )
    decision = registry.transition(MODEL, version, State.SHADOW)
    assert decision.allowed
    assert decision.to_state is State.SHADOW
    assert registry.state(MODEL, version) is State.SHADOW


def test_evidence_that_does_not_verify_is_refused(registered, registry):
    version = registered("first").version
    with pytest.raises(EvidenceInvalid):
        registry.submit_evidence(MODEL, version, key=TRAINING_TAG, envelope="{}")


def test_approvals_are_bound_to_the_hash_the_registry_tells(desk, registered, registry):
    version = registered("first").version
    desk.attest(version)
    registry.transition(MODEL, version, State.SHADOW)
    told = registry.evidence_hash(MODEL, version)
    assert registry.shadow_report(MODEL, version).subject.version == version
    assert registry.approvals(MODEL, version) == []
    record = desk.approval(version)
    assert record.evidence_hash == told
    text = desk.sign("approval", record, by="model-risk")
    registry.submit_evidence(MODEL, version, key=approval_tag("model-risk"), envelope=text)
    assert registry.approvals(MODEL, version) == [record]
    decision = registry.transition(MODEL, version, State.ACTIVE)
    assert decision.approvers == ("model-risk",)
    assert registry.active_version(MODEL) == version


def test_rolling_back_and_going_flat(desk, registered, registry):
    first, second = registered("first").version, registered("second").version
    desk.promote(first)
    desk.promote(second)
    assert registry.roll_back(MODEL, reason="drift") == first
    assert registry.roll_back(MODEL, reason="drift") is None
    assert registry.roll_back(MODEL, reason="again") is None
    assert registry.active_version(MODEL) is None
    assert desk.actions().count("rolled_back") == 2


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_stages_and_aliases_resolve_as_addresses(desk, registered):
    from mlflow.store.artifact.utils.models import get_model_name_and_version

    version = registered("first").version
    desk.promote(version)
    client = MlflowClient(tracking_uri=desk.url, registry_uri=f"ordinis+{desk.url}")
    for place in ("@active", "/active", "/Production", "/1"):
        name, found = get_model_name_and_version(client, f"models:/{MODEL}{place}")
        assert (name, str(found)) == (MODEL, version)
    assert desk.store.get_latest_versions(MODEL, ["Active"])[0].version == int(version)


def test_what_is_not_there(registry):
    assert registry.active_version("nobody") is None
    for ask in (
        lambda: registry.state("nobody", "1"),
        lambda: registry.local_path("nobody", "1"),
        lambda: registry.transition("nobody", "1", State.SHADOW),
        lambda: registry.submit_evidence("nobody", "1", key=SHADOW_TAG, envelope="{}"),
    ):
        with pytest.raises(ArtifactMissing):
            ask()


def test_a_registry_that_cannot_be_opened(desk):
    with pytest.raises((ConfigInvalid, StoreUnavailable)):
        MlflowModelRegistry(
            registry_uri="ordinis+oracle://somewhere", tracking_uri=desk.url, database=desk.database
        ).state(MODEL, "1")


def test_what_is_in_use_is_known_of_every_governed_model_whoever_registered_it(any_desk):
    desk = any_desk
    registry = MlflowModelRegistry(
        registry_uri=f"ordinis+{desk.url}", tracking_uri=desk.url, database=desk.database, clock=desk.clock
    )
    first, second, third = desk.register(), desk.register(), desk.register()
    assert registry.standings() == {MODEL: (None, None, ())}
    desk.promote(first)
    desk.promote(second)
    desk.attest(third)
    desk.move(third, "shadow")
    assert registry.standings()[MODEL] == (second, second, (third,))
    assert registry.training(MODEL, second).version == second
    registry.roll_back(MODEL, reason="x")
    registry.transition(MODEL, first, State.RETIRED)
    assert registry.standings()[MODEL] == (None, first, (third,))
    assert registry.training(MODEL, desk.register()) is None
