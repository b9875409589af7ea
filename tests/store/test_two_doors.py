"""Each way round the stage call, tried with a stock client through both doors: in-process and over REST."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from mlflow import MlflowClient  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.rollout import TRAINING_TAG

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

REFUSED = {
    "stage": (lambda c, m: c.transition_model_version_stage(m, "2", "Production"), "rollout.denied"),
    "our stage": (lambda c, m: c.transition_model_version_stage(m, "2", "aCtIvE"), "rollout.denied"),
    "replace": (
        lambda c, m: c.transition_model_version_stage(m, "2", "Staging", archive_existing_versions=True),
        "rollout.denied",
    ),
    "back to candidate": (lambda c, m: c.transition_model_version_stage(m, "1", "None"), "rollout.denied"),
    "alias": (lambda c, m: c.set_registered_model_alias(m, "active", "2"), "alias.refused"),
    "alias in capitals": (lambda c, m: c.set_registered_model_alias(m, "ACTIVE", "2"), "alias.refused"),
    "last known good": (
        lambda c, m: c.set_registered_model_alias(m, "Last_Known_Good", "2"),
        "alias.refused",
    ),
    "alias that looks so": (lambda c, m: c.set_registered_model_alias(m, "аctive", "2"), "alias.refused"),
    "alias without its dot": (lambda c, m: c.set_registered_model_alias(m, "actıve", "2"), "alias.refused"),
    "alias in full width": (
        lambda c, m: c.set_registered_model_alias(m, "ａｃｔｉｖｅ", "2"),
        "alias.refused",
    ),
    "alias with a line break": (
        lambda c, m: c.set_registered_model_alias(m, "active\n", "2"),
        "alias.refused",
    ),
    "take alias": (lambda c, m: c.delete_registered_model_alias(m, "active"), "alias.refused"),
    "take alias in capitals": (lambda c, m: c.delete_registered_model_alias(m, "Active"), "alias.refused"),
    "delete version": (lambda c, m: c.delete_model_version(m, "1"), "deletion.refused"),
    "delete model": (lambda c, m: c.delete_registered_model(m), "deletion.refused"),
    "rename": (lambda c, m: c.rename_registered_model(m, f"{m}_2"), "rename.refused"),
    "state tag": (
        lambda c, m: c.set_model_version_tag(m, "2", "ordinis.state", "ACTIVE"),
        "evidence.refused",
    ),
    "state tag after spaces": (
        lambda c, m: c.set_model_version_tag(m, "2", "  ordinis.state", "ACTIVE"),
        "evidence.refused",
    ),
    "state tag that looks so": (
        lambda c, m: c.set_model_version_tag(m, "2", "оrdinis.state", "ACTIVE"),
        "evidence.refused",
    ),
    "tag on the model that looks so": (
        lambda c, m: c.set_registered_model_tag(m, "ordіnis.owner", "me"),
        "tag.refused",
    ),
    "digest tag": (
        lambda c, m: c.set_model_version_tag(m, "2", "ordinis.artifact_sha256", "0" * 64),
        "evidence.refused",
    ),
    "forged evidence": (lambda c, m: c.set_model_version_tag(m, "2", TRAINING_TAG, "{}"), "evidence.refused"),
    "evidence in capitals": (
        lambda c, m: c.set_model_version_tag(m, "2", TRAINING_TAG.upper(), "{}"),
        "evidence.refused",
    ),
    "another's evidence": (
        lambda c, m: c.set_model_version_tag(
            m, "2", TRAINING_TAG, c.get_model_version(m, "1").tags[TRAINING_TAG]
        ),
        "evidence.refused",
    ),
    "take evidence": (lambda c, m: c.delete_model_version_tag(m, "1", TRAINING_TAG), "tag.refused"),
    "tag on the model": (lambda c, m: c.set_registered_model_tag(m, "ordinis.owner", "me"), "tag.refused"),
}


class Door:
    """A client and the desk behind it; ``trading`` makes a model with 1 ACTIVE and 2 a candidate."""

    def __init__(self, client, desk, kind):
        self.client, self.desk, self.kind = client, desk, kind
        self._made = 0

    def trading(self):
        self._made += 1
        name = f"{self.kind}_{self._made}"
        self.desk.register(name=name)
        self.desk.promote("1", name=name)
        self.desk.register(name=name)
        return name

    def untouched(self, name):
        return (
            self.desk.active(name) == "1" and self.client.get_model_version(name, "2").current_stage == "None"
        )


@pytest.fixture(scope="module")
def doors(tmp_path_factory, empty_database, serving, desk_class):
    home = tmp_path_factory.mktemp("doors")
    shutil.copyfile(empty_database, home / "ordinis.db")
    url = f"sqlite:///{home / 'ordinis.db'}"
    desk = desk_class(home, clock=lambda: datetime.now(UTC), url=url)
    with serving(home) as server:
        yield {
            "in_process": Door(
                MlflowClient(tracking_uri=url, registry_uri=f"ordinis+{url}"), desk, "in_process"
            ),
            "rest": Door(MlflowClient(tracking_uri=server, registry_uri=server), desk, "rest"),
        }
    desk.close()


@pytest.fixture(params=["in_process", "rest"])
def door(request, doors):
    return doors[request.param]


def test_every_way_round_is_refused_at_once_and_recorded_once(door):
    name = door.trading()
    for what, (attempt, action) in REFUSED.items():
        before = len(door.desk.actions(name))
        with pytest.raises(MlflowException) as caught:
            attempt(door.client, name)
        assert caught.value.error_code == "PERMISSION_DENIED", what
        assert caught.value.get_http_status_code() == 403, what
        assert "E_LEARN_" in caught.value.message, what
        assert "ext" in caught.value.message, what  # each says what to do next
        # One record means one request: a client that retries leaves several.
        assert door.desk.actions(name)[before:] == [action], what
        assert door.untouched(name), what
    assert door.desk.ledger.verify() == []


def test_a_promoted_copy_is_a_candidate_without_evidence(door):
    """What the UI's *Promote model* button does."""
    name = door.trading()
    copy = door.client.copy_model_version(f"models:/{name}/1", f"{name}_copy")
    assert copy.current_stage == "None"
    assert TRAINING_TAG not in door.client.get_model_version(f"{name}_copy", "1").tags
    assert door.desk.aliases(f"{name}_copy") == {}
    with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
        door.client.transition_model_version_stage(f"{name}_copy", "1", "shadow")


def test_a_model_cannot_be_created_with_a_past(door):
    name = door.trading()
    with pytest.raises(MlflowException, match="E_LEARN_EVIDENCE_INVALID"):
        door.client.create_registered_model(f"{name}_new", tags={"Ordinis.state": "ACTIVE"})
    address = door.client.get_model_version_download_uri(name, "1")
    with pytest.raises(MlflowException):
        door.client.create_model_version(name, address, tags={"ordinis.state": "ACTIVE"})
    assert len(door.client.search_model_versions(f"name = '{name}'")) == 2


def test_bytes_changed_after_the_evaluation_are_noticed(door):
    name = door.trading()
    door.desk.attest("2", name=name)
    (door.desk.address("2", name=name) / "MLmodel").write_text("something else")
    with pytest.raises(MlflowException, match="artifact_intact"):
        door.client.transition_model_version_stage(name, "2", "shadow")
    assert door.untouched(name)


def test_bytes_written_over_through_the_servers_own_proxy_are_noticed(doors, tmp_path):
    """Whoever may upload may overwrite; the gate, a rollback and the reconciler look at the bytes themselves."""
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    door = doors["rest"]
    client, desk, name = door.client, door.desk, "uploaded"
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(desk.write_model("uploaded")), "model")
    client.create_registered_model(name)
    client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)

    def submit(key, text):
        client.set_model_version_tag(name, "1", key, text)

    desk.attest("1", name=name, submit=submit)
    client.transition_model_version_stage(name, "1", "shadow")
    desk.approve("1", name=name, submit=submit)
    client.transition_model_version_stage(name, "1", "active")
    changed = tmp_path / "MLmodel"
    changed.write_text("something else")
    client.log_artifact(run.info.run_id, str(changed), "model")
    store = OrdinisSqlAlchemyStore(desk.url, settings=desk.settings, tracking_uri=client.tracking_uri)
    (one,) = [one for one in store.reconcile() if one.name == name]
    assert (one.version, one.kind, one.found) == ("1", "artifact", "its bytes are not what was registered")
    store.engine.dispose()


def test_metrics_logged_after_the_evaluation_change_nothing(door):
    """The gate reads signed scorecards; what anybody may write into a run is no evidence."""
    name = door.trading()
    run = door.client.create_run("0")
    version = door.desk.register(name=name, run_id=run.info.run_id)
    request = (name, version, "ordinis.request.evidence_hash", "now")
    door.client.set_model_version_tag(*request)
    before = door.client.get_model_version(name, version).tags["ordinis.gate.evidence_hash"]
    door.client.log_metric(run.info.run_id, "sharpe", 99.0)
    door.client.set_model_version_tag(*request)
    assert door.client.get_model_version(name, version).tags["ordinis.gate.evidence_hash"] == before
    with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
        door.client.transition_model_version_stage(name, version, "shadow")


def test_prompts_are_governed_like_models(door):
    name = f"{door.kind}_prompt"
    door.client.register_prompt(name, "Say {{what}}")
    door.client.register_prompt(name, "Shout {{what}}")
    door.client.set_prompt_alias(name, "draft", 2)
    assert door.client.get_prompt_version_by_alias(name, "draft").template == "Shout {{what}}"
    for alias in ("active", "Active"):
        with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
            door.client.set_prompt_alias(name, alias, 2)
    with pytest.raises(MlflowException, match="not found"):  # MLflow knows no stages of prompts
        door.client.transition_model_version_stage(name, "1", "active")
    assert door.desk.actions(name).count("alias.refused") == 2
    door.client.delete_prompt_alias(name, "draft")
    door.client.delete_prompt_version(name, "1")


def run_mlflow(desk, *arguments):
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": desk.url}
    environment |= {"MLFLOW_REGISTRY_URI": f"ordinis+{desk.url}", "ORDINIS_HOME": str(desk.home)}
    command = [sys.executable, "-m", "mlflow", *arguments]
    return subprocess.run(command, env=environment, cwd=desk.home, capture_output=True, text=True, check=True)


def run_ordinis(desk, *arguments):
    environment = os.environ | {"MLFLOW_TRACKING_URI": desk.url, "MLFLOW_REGISTRY_URI": f"ordinis+{desk.url}"}
    command = [sys.executable, "-m", "ordinis_learn", "--home", str(desk.home), *arguments]
    return subprocess.run(
        command, env=environment, cwd=desk.home, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_mlflows_command_line_reads_what_is_active_and_gc_does_not_go_unnoticed(desk):
    client = MlflowClient(tracking_uri=desk.url, registry_uri=f"ordinis+{desk.url}")
    experiment = client.create_experiment("gc", artifact_location=(desk.home / "runs").as_uri())
    desk.store.create_registered_model("signal")
    runs = []
    for number in ("1", "2"):
        run = client.create_run(experiment)
        runs.append(run.info.run_id)
        client.log_artifacts(run.info.run_id, str(desk.write_model(f"gc-{number}")), "model")
        desk.store.create_model_version("signal", f"{run.info.artifact_uri}/model", run.info.run_id)
        digest = desk.store.get_model_version("signal", number).tags["ordinis.artifact_sha256"]
        assert len(digest) == 64
        desk.promote(number, name="signal")
    run_mlflow(desk, "artifacts", "download", "-u", "models:/signal@active", "-d", str(desk.home / "got"))
    assert (desk.home / "got" / "MLmodel").exists()
    client.delete_run(runs[0])
    run_mlflow(desk, "gc", "--backend-store-uri", desk.url, "--run-ids", runs[0])
    (one,) = desk.store.reconcile()
    assert (one.version, one.found) == ("1", "its bytes cannot be read")
    client.delete_run(runs[1])  # the ACTIVE version's own run
    run_mlflow(desk, "gc", "--backend-store-uri", desk.url, "--run-ids", runs[1])
    assert desk.active("signal") == "2"
    lost = {one.version: one for one in desk.store.reconcile()}
    assert (lost["2"].kind, lost["2"].found) == ("artifact", "its bytes cannot be read")
    assert "ordinis-learn rollback signal" in lost["2"].next_step
    told = run_ordinis(desk, "doctor")
    assert "signal 2: artifact: its bytes cannot be read" in told.stdout + told.stderr
    assert desk.store.roll_back("signal", reason="drill") is None  # flat, rather than on nothing
    unfit = desk.ledger.history("signal")[-1].body["unfit"]
    assert unfit == [{"version": "1", "why": "its bytes cannot be read"}]


def test_a_source_replaced_by_a_dba_is_noticed(desk):
    desk.promote(desk.register())
    second, better = desk.register(), desk.write_model("better")
    desk.attest(second)
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ordinis_model_versions_update")
        connection.exec_driver_sql(
            "UPDATE model_versions SET source = ?, storage_location = ? WHERE version = 2",
            (str(better), str(better)),
        )
    with pytest.raises(MlflowException, match="artifact_intact"):
        desk.move(second, "shadow")
    assert ("2", "artifact") in {(one.version, one.kind) for one in desk.store.reconcile()}
