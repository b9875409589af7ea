"""A server with MLflow's auth app: who signed in is who asks, and the policy hears nobody else."""

from __future__ import annotations

import secrets
import shutil
from importlib import resources

import pytest
import requests
from mlflow import MlflowClient  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_mlflow.headers import ACTOR_HEADER

MODEL = "sp500_signal"
LONG = {name: secrets.token_hex(12) for name in ("admin", "researcher")}


@pytest.fixture
def sign_in(monkeypatch):
    """Let the clients of this test send a name and password; None signs out."""

    def use(name, password=None):
        for variable, value in (("USERNAME", name), ("PASSWORD", password or LONG.get(name))):
            if name is None:
                monkeypatch.delenv(f"MLFLOW_TRACKING_{variable}", raising=False)
            else:
                monkeypatch.setenv(f"MLFLOW_TRACKING_{variable}", value)

    return use


@pytest.fixture
def server(tmp_path, empty_database, serving, monkeypatch):
    """A server that asks for a login, under a policy that asks for one too; with a researcher."""
    pytest.importorskip("flask_wtf", reason="MLflow's auth app needs it: pip install 'mlflow[auth]'")
    shutil.copyfile(empty_database, tmp_path / "ordinis.db")
    text = (resources.files("ordinis_learn.rollout") / "policies" / "gov_v1.yaml").read_text()
    rule = "        - artifact_intact\n"
    signed_in = f"{rule}        - requester_kind: {{kinds: [authenticated]}}\n"
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "desk_v1.yaml").write_text(
        text.replace("policy_id: gov_v1", "policy_id: desk_v1").replace(rule, signed_in)
    )
    (tmp_path / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = EDIT\ndatabase_uri = sqlite:///{tmp_path / 'auth.db'}\n"
        "admin_username = admin\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    monkeypatch.setenv("GOV_POLICY_VERSION", "desk_v1")
    with serving(
        tmp_path,
        "--app-name",
        "basic-auth",
        MLFLOW_AUTH_CONFIG_PATH=str(tmp_path / "auth.ini"),
        MLFLOW_AUTH_ADMIN_PASSWORD=LONG["admin"],
        MLFLOW_FLASK_SERVER_SECRET_KEY=secrets.token_hex(16),
    ) as address:
        user = {"username": "researcher", "password": LONG["researcher"]}
        made = requests.post(
            f"{address}/api/2.0/mlflow/users/create", json=user, auth=("admin", LONG["admin"]), timeout=30
        )
        assert made.status_code == 200, made.text
        yield address


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_signed_in_user_asks_and_a_claim_does_not_count(server, make_desk, sign_in, monkeypatch):
    desk = make_desk()
    client = MlflowClient(tracking_uri=server, registry_uri=server)

    url = f"{server}/api/2.0/mlflow/registered-models/create"
    bare = requests.post(url, json={"name": MODEL}, headers={ACTOR_HEADER: "admin"}, timeout=10)
    assert bare.status_code == 401  # the header signs nobody in
    sign_in("researcher", "not the password")
    with pytest.raises(MlflowException, match="401"):
        client.search_registered_models()

    sign_in("researcher")
    monkeypatch.setenv("ORDINIS_ACTOR", "head-of-desk")  # sent as a header: a claim, beside a login
    client.create_registered_model(MODEL)
    source = desk.write_model("one").as_uri()
    desk.store.create_model_version(MODEL, source)  # a server takes no local folders
    with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED") as caught:
        client.transition_model_version_stage(MODEL, "1", "shadow")
    assert caught.value.get_http_status_code() == 403
    denied = desk.ledger.history(MODEL)[-1]
    assert (denied.actor.name, denied.actor.kind) == ("researcher", "authenticated")

    desk.attest("1", submit=lambda key, text: client.set_model_version_tag(MODEL, "1", key, text))
    with pytest.raises(MlflowException, match="requester_kind"):
        desk.move("1", "shadow")  # the same evidence, in-process, where names are only claimed
    assert client.transition_model_version_stage(MODEL, "1", "shadow").current_stage == "Staging"
    allowed = desk.ledger.history(MODEL)[-1]
    assert (allowed.action, allowed.actor.name) == ("rollout.allowed", "researcher")
    assert allowed.body["decision"]["requester"] == {"name": "researcher", "kind": "authenticated"}

    sign_in("admin")
    with pytest.raises(MlflowException, match="E_LEARN_APPROVAL_MISSING"):
        client.transition_model_version_stage(MODEL, "1", "active")  # an administrator is no approver
    desk.approve("1", submit=lambda key, text: client.set_model_version_tag(MODEL, "1", key, text))
    client.transition_model_version_stage(MODEL, "1", "active")
    assert desk.ledger.history(MODEL)[-1].actor.name == "admin"
    assert desk.ledger.verify() == []
