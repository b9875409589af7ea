"""``mlflow server`` as its clients meet it: a database, a server on it, and a small client."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
API = "/api/2.0/mlflow"
# Two servers of four workers with two pools each; PostgreSQL allows 100 connections by default.
POOL = {"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "3", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "2"}


class Client:
    """One connection that is kept; every answer must be a 200."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        self.connection.request(method, f"{API}/{path}", None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status == 200, (path, answer.status, text[:300])
        return json.loads(text)


@contextmanager
def database():
    """Make a PostgreSQL database and drop it afterwards; OperationalError where there is no server."""
    admin = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 2})
    name = f"ordinis_bench_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield sa.make_url(SERVER).set(database=name)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()


@contextmanager
def server(url, *, governed):
    """Run ``mlflow server`` on a database, with the governed store or with MLflow's own; yield its port and its folder."""
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    name = url.get_backend_name()
    registry = url.set(drivername=f"ordinis+{name}" if governed else name).render_as_string(
        hide_password=False
    )
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", url.render_as_string(hide_password=False)]
    command += ["--registry-store-uri", registry, "--artifacts-destination", str(folder / "artifacts")]
    environment = (
        os.environ | {"ORDINIS_HOME": str(folder), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | POOL
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(port, process, folder / "log")
        yield port, folder
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)
        shutil.rmtree(folder)


def _wait(port, process, log):
    for _ in range(480):
        assert process.poll() is None, log.read_text()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(log.read_text())
