"""What MLflow finds, in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from ordinis_learn.errors import ConfigInvalid
from ordinis_mlflow.entry_points import registry_store
from ordinis_mlflow.headers import ACTOR_HEADER, ActorHeaderProvider


def run(code, **env):
    """Run code in a clean, isolated interpreter; return what it printed."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", ""), **env}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()


def test_the_light_modules_import_nothing_of_mlflow():
    code = (
        "import sys; import ordinis_mlflow.entry_points, ordinis_mlflow.headers, ordinis_mlflow.registry;"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'mlflow', 'sqlalchemy', 'pydantic'}))"
    )
    assert run(code) == ["[]"]


def test_the_entry_points_are_installed():
    stores = {point.name: point.value for point in entry_points(group="mlflow.model_registry_store")}
    assert stores["ordinis+sqlite"] == "ordinis_mlflow.entry_points:registry_store"
    assert stores["ordinis+postgresql"] == "ordinis_mlflow.entry_points:registry_store"
    headers = {point.name for point in entry_points(group="mlflow.request_header_provider")}
    assert "ordinis" in headers


def test_a_stock_client_finds_the_gate_by_its_address(tmp_path, empty_database):
    import shutil

    database = tmp_path / "ordinis.db"
    shutil.copyfile(empty_database, database)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text("x")
    code = f"""
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
client = MlflowClient(tracking_uri="sqlite:///{database}")
client.create_registered_model("signal")
client.create_model_version("signal", {str(folder)!r})
try:
    client.transition_model_version_stage("signal", "1", "Production")
except MlflowException as error:
    print(error.error_code, error.message.split(":")[0])
try:
    client.set_registered_model_alias("signal", "Active", "1")
except MlflowException as error:
    print(error.error_code, error.message.split(":")[0])
"""
    told = run(
        code,
        MLFLOW_REGISTRY_URI=f"ordinis+sqlite:///{database}",
        MLFLOW_DISABLE_TELEMETRY="true",
        ORDINIS_HOME=str(tmp_path),
        ORDINIS_ACTOR="researcher",
    )
    assert told == ["PERMISSION_DENIED E_LEARN_ROLLOUT_DENIED"] * 2


@pytest.mark.parametrize("uri", [None, "", "sqlite:///x.db"])
def test_another_address_is_refused(uri):
    with pytest.raises(ConfigInvalid):
        registry_store(uri)


class TestHeader:
    def test_is_sent_only_when_there_is_a_name(self, monkeypatch):
        monkeypatch.delenv("ORDINIS_ACTOR", raising=False)
        assert not ActorHeaderProvider().in_context()
        monkeypatch.setenv("ORDINIS_ACTOR", "Zoë Ångström")
        assert ActorHeaderProvider().in_context()
        assert ActorHeaderProvider().request_headers() == {ACTOR_HEADER: "Zo%C3%AB %C3%85ngstr%C3%B6m"}


class TestActor:
    def test_in_process_a_claim_wins_over_the_login(self, monkeypatch):
        from ordinis_mlflow.actors import current_actor

        monkeypatch.setenv("ORDINIS_ACTOR", "researcher\n")
        assert current_actor().model_dump() == {"name": "researcher", "kind": "claimed"}
        monkeypatch.delenv("ORDINIS_ACTOR")
        assert current_actor().kind == "os_user"

    def test_behind_a_server_a_header_is_a_claim_and_a_login_counts(self):
        import flask

        from ordinis_mlflow.actors import current_actor

        app = flask.Flask("server")
        headers = {ACTOR_HEADER: "Zo%C3%AB", "Authorization": "Basic cm9vdDpyb290"}
        with app.test_request_context(headers=headers):
            assert current_actor().model_dump() == {"name": "Zoë", "kind": "claimed"}
            flask.g.mlflow_authenticated_user = "zoe"
            assert current_actor().model_dump() == {"name": "zoe", "kind": "authenticated"}
        with app.test_request_context(environ_base={"REMOTE_ADDR": "10.0.0.7"}):
            assert current_actor().model_dump() == {"name": "someone at 10.0.0.7", "kind": "claimed"}


def test_the_names_of_the_servers_variables_are_mlflows():
    from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR, SERVE_ARTIFACTS_ENV_VAR

    from ordinis_mlflow._artifacts import DESTINATION, SERVING

    assert (DESTINATION, SERVING) == (ARTIFACTS_DESTINATION_ENV_VAR, SERVE_ARTIFACTS_ENV_VAR)


def test_a_proxied_address_never_leads_out_of_its_root(tmp_path, monkeypatch):
    from ordinis_mlflow._artifacts import DESTINATION, SERVING, ArtifactReader

    monkeypatch.setenv(DESTINATION, str(tmp_path / "root"))
    monkeypatch.setenv(SERVING, "true")
    (tmp_path / "root" / "1").mkdir(parents=True)
    reader = ArtifactReader()
    assert reader.local_folder("mlflow-artifacts:/1") == tmp_path / "root" / "1"
    for address in ("mlflow-artifacts:/../../etc", "mlflow-artifacts:/%2e%2e/other"):
        assert reader.local_folder(address) is None
