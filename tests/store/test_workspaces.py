"""The same name in several workspaces is several models: chains, states, statements and permits are apart."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.store.model_registry.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore  # noqa: TID253
from mlflow.utils.workspace_context import ServerWorkspaceContext, WorkspaceContext  # noqa: TID253
from mlflow.utils.workspace_utils import DEFAULT_WORKSPACE_NAME  # noqa: TID253

from ordinis_learn.errors import ConfigInvalid, RolloutDenied
from ordinis_learn.records import State, tree_sha256
from ordinis_learn.rollout import TRAINING_TAG, approval_tag
from ordinis_mlflow._workspaces import scoped_path
from ordinis_registry.subjects import DEFAULT_WORKSPACE, MOST_CHARACTERS, split_subject, subject_of

MODEL = "sp500_signal"
NAMES = st.text(min_size=1, max_size=64).filter(lambda name: "/" not in name and name != "*")
WORKSPACES = st.just(DEFAULT_WORKSPACE) | st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])", fullmatch=True)


class TestSubjects:
    @given(name=NAMES, workspace=WORKSPACES)
    def test_survive_a_round_trip_so_no_two_models_have_one(self, name, workspace):
        assert split_subject(subject_of(name, workspace=workspace)) == (workspace, name)

    @pytest.mark.parametrize(
        ("name", "workspace"),
        [("team-a/signal", DEFAULT_WORKSPACE), ("*", DEFAULT_WORKSPACE), ("x" * 256, "team-a"), ("x", "a/b")],
    )
    def test_a_name_that_could_be_another_is_refused(self, name, workspace):
        with pytest.raises(ConfigInvalid):
            subject_of(name, workspace=workspace)

    def test_the_default_workspace_is_mlflows_and_the_length_the_columns(self):
        from ordinis_registry.models import HeadRow, LedgerRow

        assert DEFAULT_WORKSPACE == DEFAULT_WORKSPACE_NAME
        assert {row.subject.type.length for row in (HeadRow, LedgerRow)} == {MOST_CHARACTERS}

    def test_a_model_cannot_take_the_name_of_the_ledgers_own_chain(self, desk):
        with pytest.raises(MlflowException, match="E_CFG_INVALID"):
            desk.store.create_registered_model("*")


@pytest.mark.parametrize(
    ("workspace", "path", "kept"),
    [
        ("default", "1/model", "1/model"),
        ("team-a", "1/model", "workspaces/team-a/1/model"),
        ("team-a", "workspaces/team-a/1/model", "workspaces/team-a/1/model"),
        ("team-a", "workspaces/team-b/1/model", None),
        ("default", "workspaces/team-b/1/model", None),
        ("team-a", "workspaces", None),
    ],
)
def test_proxied_paths_lie_where_mlflow_keeps_them(monkeypatch, workspace, path, kept):
    parts = tuple(path.split("/"))
    assert scoped_path(parts) == parts  # without workspaces
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    with ServerWorkspaceContext(workspace):
        assert scoped_path(parts) == (None if kept is None else tuple(kept.split("/")))


@pytest.fixture(params=["sqlite", "postgresql"])
def desk_of_teams(request, make_desk, monkeypatch):
    """A desk with workspaces; the same model, of the same bytes, is a candidate in three of them."""
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    desk = make_desk(url=request.getfixturevalue("postgres") if request.param == "postgresql" else None)
    folder = str(desk.write_model("shared"))
    for workspace in (DEFAULT_WORKSPACE, "team-a", "team-b"):
        with WorkspaceContext(workspace):
            desk.store.create_registered_model(MODEL)
            desk.store.create_model_version(MODEL, folder)
    return desk


def test_each_workspace_has_its_own_state_chain_and_aliases(desk_of_teams):
    desk = desk_of_teams
    with WorkspaceContext("team-a"):
        desk.promote("1")
        assert desk.active() == "1"
        desk.promote(desk.register(label="second"))
        assert desk.aliases() == {"active": "2", "last_known_good": "1"}
    for workspace in (DEFAULT_WORKSPACE, "team-b"):
        with WorkspaceContext(workspace):
            assert desk.aliases() == {}
            assert desk.store.get_model_version(MODEL, "1").current_stage == "None"
    assert desk.actions(MODEL) == desk.actions(f"team-b/{MODEL}") == ["model.created", "version.registered"]
    assert desk.actions(f"team-a/{MODEL}").count("rollout.allowed") == 4
    assert desk.ledger.active_at(f"team-a/{MODEL}", desk.clock()) == "2"
    assert desk.ledger.active_at(MODEL, desk.clock()) is None
    with WorkspaceContext("team-a"):
        assert desk.store.roll_back(MODEL, reason="drill") == "1"
        with pytest.raises(MlflowException, match="version 1 is ACTIVE"):
            desk.store.delete_model_version(MODEL, "1")
    assert desk.ledger.verify() == []
    assert desk.store.reconcile() == []


def test_a_statement_cannot_be_played_from_one_workspace_to_another(desk_of_teams):
    desk = desk_of_teams
    with WorkspaceContext("team-a"):
        desk.promote("1")
        said = desk.store.get_model_version(MODEL, "1").tags
    for workspace in (DEFAULT_WORKSPACE, "team-b"):
        with WorkspaceContext(workspace):
            assert desk.reference("1").artifact_sha256 == said["ordinis.artifact_sha256"]
            for key in (TRAINING_TAG, approval_tag("model-risk")):
                with pytest.raises(MlflowException, match="E_LEARN_EVIDENCE_INVALID"):
                    desk.tag("1", key, said[key])
            with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
                desk.move("1", "shadow")


def test_triggers_ask_for_the_permit_of_the_rows_own_workspace(desk_of_teams):
    desk = desk_of_teams
    plain = WorkspaceAwareSqlAlchemyStore(desk.url)
    with WorkspaceContext("team-a"):
        for attempt in (
            lambda: plain.transition_model_version_stage(MODEL, "1", "Production", False),
            lambda: plain.set_registered_model_alias(MODEL, "Active", "1"),
            lambda: plain.delete_registered_model(MODEL),
        ):
            with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
                attempt()
    update = "UPDATE model_versions SET current_stage = 'Staging' WHERE workspace = 'team-a'"
    for permit, reaches in ((MODEL, False), (f"team-b/{MODEL}", False), (f"team-a/{MODEL}", True)):
        with desk.store.engine.connect() as connection:
            connection.execute(sa.text("INSERT INTO governance_permits VALUES (:who)"), {"who": permit})
            if reaches:
                connection.exec_driver_sql(update)
            else:
                with pytest.raises(sa.exc.DBAPIError, match="E_LEARN_ROLLOUT_DENIED"):
                    connection.exec_driver_sql(update)
            connection.rollback()
    plain.engine.dispose()


def test_mlflows_own_ways_to_empty_a_workspace_take_no_governed_model_along(desk_of_teams):
    """Deleting a workspace and ``mlflow db`` move and delete rows past every registry store."""
    from mlflow.db import commands
    from mlflow.entities import Workspace
    from mlflow.entities.workspace import WorkspaceDeletionMode
    from mlflow.store.workspace.sqlalchemy_store import SqlAlchemyStore

    desk = desk_of_teams
    workspaces = SqlAlchemyStore(desk.url)
    workspaces.create_workspace(Workspace(name="team-a"))
    workspaces.create_workspace(Workspace(name="team-c"))
    for workspace in (DEFAULT_WORKSPACE, "team-b"):
        with WorkspaceContext(workspace):
            desk.store.delete_registered_model(MODEL)
    with WorkspaceContext("team-a"):
        desk.promote("1")
    for mode in (WorkspaceDeletionMode.CASCADE, WorkspaceDeletionMode.SET_DEFAULT):
        with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
            workspaces.delete_workspace("team-a", mode)
    move = ["move-resources", desk.url, "--from", "team-a", "--to", "team-c"]
    for command in (
        [*move, "--resource-type", "registered_models", "--yes"],
        ["migrate-to-default-workspace", desk.url, "--yes"],
    ):
        done = CliRunner().invoke(commands, command)
        assert done.exit_code != 0, done.output
        assert "E_LEARN_ROLLOUT_DENIED" in done.output
    with WorkspaceContext("team-a"):
        assert desk.active() == "1"
    assert desk.store.reconcile() == []
    workspaces.delete_workspace("team-c")
    workspaces._engine.dispose()


def test_the_reconciler_names_and_mends_the_right_one(desk_of_teams):
    desk = desk_of_teams
    with WorkspaceContext("team-a"):
        desk.promote("1")
    name = "ordinis_model_versions_update"
    on = " ON model_versions" if desk.url.startswith("postgresql") else ""
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER {name}{on}")
        connection.exec_driver_sql("UPDATE model_versions SET current_stage = 'Production'")
    found = {(one.name, one.kind) for one in desk.store.reconcile(repair=True)} - {("*", "triggers")}
    assert found >= {(MODEL, "stage"), (f"team-b/{MODEL}", "stage")}
    assert (f"team-a/{MODEL}", "stage") not in found
    with WorkspaceContext("team-b"):
        assert desk.store.get_model_version(MODEL, "1").current_stage == "Archived"
    with WorkspaceContext("team-a"):
        assert desk.store.get_model_version(MODEL, "1").current_stage == "Production"
    assert "registry.repaired" in desk.actions(f"team-b/{MODEL}")
    assert {one.kind for one in desk.store.reconcile()} <= {"triggers"}


def test_bytes_that_another_workspace_needs_are_not_pruned(desk_of_teams):
    """All three versions lie in one folder: pruning a retired one would take it from the others."""
    desk = desk_of_teams
    from mlflow.entities.model_registry import ModelVersionTag

    with WorkspaceContext("team-b"):
        desk.move("1", "archived")
        with pytest.raises(MlflowException, match="it is kept"):
            desk.store.set_model_version_tag(MODEL, "1", ModelVersionTag("ordinis.request.prune", "now"))
    assert desk.folder("shared").is_dir()


def test_the_adapter_calls_a_model_by_its_workspace(desk_of_teams):
    from ordinis_mlflow.registry import MlflowModelRegistry

    desk = desk_of_teams
    registry = MlflowModelRegistry(
        registry_uri=f"ordinis+{desk.url}", tracking_uri=desk.url, database=desk.database
    )
    with WorkspaceContext("team-a"):
        desk.promote("1")
    team, other = f"team-a/{MODEL}", f"team-b/{MODEL}"
    assert (registry.active_version(team), registry.active_version(other)) == ("1", None)
    assert (registry.active_version(MODEL), registry.incumbent(team)) == (None, "1")
    assert [answer.subject.name for answer in registry.approvals(team, "1")] == [team]
    assert registry.state(other, "1") is State.CANDIDATE
    with pytest.raises(RolloutDenied):
        registry.transition(other, "1", State.SHADOW)
    with WorkspaceContext("team-b"):  # the name says where, whatever the caller is in
        assert registry.roll_back(team, reason="drill") is None
    assert desk.actions(team)[-1] == "rolled_back"


@pytest.mark.slow
def test_a_server_with_workspaces_governs_each(tmp_path, empty_database, serving, make_desk, monkeypatch):
    from ordinis_mlflow.registry import MlflowModelRegistry

    shutil.copyfile(empty_database, tmp_path / "ordinis.db")
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    desk = make_desk()
    with serving(tmp_path, "--enable-workspaces") as server:
        client = MlflowClient(tracking_uri=server, registry_uri=server)
        client.create_workspace("team-a")
        with WorkspaceContext("team-a"):
            version = _register_over_rest(client, tmp_path)
            with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED") as caught:
                client.set_registered_model_alias(MODEL, "ACTIVE", version)
            assert caught.value.get_http_status_code() == 403

            def submit(key, text):
                client.set_model_version_tag(MODEL, version, key, text)

            assert desk.reference(version).artifact_sha256 == tree_sha256(tmp_path / "logged")
            desk.attest(version, submit=submit)
            registry = MlflowModelRegistry(registry_uri=server, tracking_uri=server, database=desk.database)
            team = f"team-a/{MODEL}"
            registry.transition(team, version, State.SHADOW)
            desk.approve(version, submit=submit)
            registry.transition(team, version, State.ACTIVE)
            assert str(client.get_model_version_by_alias(MODEL, "active").version) == version
        with WorkspaceContext(DEFAULT_WORKSPACE), pytest.raises(MlflowException, match="not found"):
            client.get_registered_model(MODEL)
        assert registry.active_version(team) == version
        assert (registry.local_path(team, version) / "model.json").read_text() == "{}"
    assert desk.actions(MODEL) == []
    assert desk.actions(team).count("rollout.allowed") == 2
    assert desk.ledger.verify() == []


@pytest.mark.slow
def test_the_command_line_trains_and_asks_in_a_workspace(tmp_path):
    environment = os.environ | {"MLFLOW_ENABLE_WORKSPACES": "true", "MLFLOW_WORKSPACE": "team-a"}
    environment = {
        k: v for k, v in environment.items() if k not in {"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"}
    }

    def typed(*arguments):
        command = [sys.executable, "-m", "ordinis_learn", "--home", str(tmp_path), *arguments]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    trained = typed("train", "--name", f"team-a/{MODEL}", "--model", "rule")
    assert trained.returncode == 0, trained.stderr
    denied = typed("promote", f"team-a/{MODEL}", "1", "shadow")
    assert "no signed scorecard" in denied.stderr, denied.stderr
    assert "no signed training record" not in denied.stderr  # that one was accepted
    told = typed("ledger", "history", f"team-a/{MODEL}").stdout
    assert "rollout.denied" in told, told


def _register_over_rest(client, folder):
    """Log a small model through the server's artifact proxy and register it."""
    bundle = folder / "logged" / "data" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "model.json").write_text("{}")
    (folder / "logged" / "MLmodel").write_text("flavors:\n  python_function:\n    data: data/bundle\n")
    experiment = client.create_experiment("team")
    model = client.create_logged_model(experiment_id=experiment, name="signal")
    client.log_model_artifacts(model.model_id, str(folder / "logged"))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model(MODEL)
    made = client.create_model_version(MODEL, f"models:/{model.model_id}", model_id=model.model_id)
    return str(made.version)
