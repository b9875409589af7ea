"""MLflow's server with our page: reached before MLflow's own, and closed without the token."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings

import pytest

with warnings.catch_warnings():
    # MLflow 3.17 mounts Flask by what Starlette calls deprecated.
    warnings.simplefilter("ignore")
    import mlflow.server.fastapi_app  # noqa: F401  so that later imports are silent
    from starlette.testclient import TestClient

from ordinis_learn.mlflow_app import METRICS_PATH, create_app
from ordinis_learn.wiring import open_engine

TOKEN = "a token of some length"


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Open a client of the server on a desk; settings as given."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ORDINIS_HOME", str(tmp_path))
    with open_engine():
        pass

    def make(**environ):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return TestClient(create_app(), base_url="http://localhost")

    return make


def test_the_page_is_ours_and_the_rest_is_mlflow_s(client):
    opened = client(LEARN_METRICS_TOKEN=TOKEN)
    answer = opened.get(METRICS_PATH, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "learn_ledger_records_total 0.0" in answer.text
    assert opened.get("/health").text == "OK"
    assert opened.post(METRICS_PATH).status_code == 404  # MLflow's answer, which knows no such page


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer other"}, {"Authorization": f"Basic {TOKEN}"}]
)
def test_without_the_token_nothing_is_told(client, headers):
    answer = client(LEARN_METRICS_TOKEN=TOKEN).get(METRICS_PATH, headers=headers)
    assert answer.status_code == 401
    assert "learn_" not in answer.text


def test_where_no_token_is_set_nobody_is_answered(client):
    answer = client().get(METRICS_PATH, headers={"Authorization": "Bearer "})
    assert answer.status_code == 403
    assert "learn_" not in answer.text


@pytest.mark.slow  # a whole server
def test_a_server_by_its_app_name(tmp_path):
    with open_engine(home=tmp_path):
        pass
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environ |= {
        "ORDINIS_HOME": str(tmp_path),
        "LEARN_METRICS_TOKEN": TOKEN,
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    database = f"sqlite:///{tmp_path}/registry_db/ordinis.db"
    words = ["--app-name", "ordinis", "--port", str(port), "--workers", "1", "--backend-store-uri", database]
    command = [
        sys.executable,
        "-Im",
        "mlflow",
        "server",
        *words,
        "--registry-store-uri",
        f"ordinis+{database}",
    ]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{METRICS_PATH}", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            body = _patiently(request, process)
        finally:
            process.terminate()
    assert b"learn_event_log_position 0.0" in body


def _patiently(request, process):
    deadline = time.monotonic() + 180
    while True:
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310  a server of this test
                return answer.read()
        except urllib.error.URLError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.3)
