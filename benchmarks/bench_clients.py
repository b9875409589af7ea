"""Thirty-two REST clients at once through ``mlflow server`` on PostgreSQL: the governed store against MLflow's own.

Each client registers a version, tags it, reads it, searches its model, gives it an alias, over and over;
eight models are shared. The bytes lie elsewhere, so none are hashed.
Both servers have four workers (MLflow's default) and a database of their own on the server that
``ORDINIS_TEST_POSTGRES_URL`` names. Throughput is requests answered per second; without PostgreSQL there is no row.
"""

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
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import sqlalchemy as sa

from benchmarks._harness import compare

SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
API = "/api/2.0/mlflow"
CLIENTS = 32
MODELS = [f"bench_{number}" for number in range(8)]
CALLS_PER_ROUND = 5


def run(*, quick):
    rounds, runs = (1, 1) if quick else (3, 4)
    with ExitStack() as stack:
        try:
            databases = [stack.enter_context(_database()) for _ in range(2)]
        except sa.exc.OperationalError:
            return
        ours, theirs = (
            stack.enter_context(_server(url, scheme))
            for url, scheme in zip(databases, ("ordinis+postgresql", "postgresql"), strict=True)
        )
        for port in (ours, theirs):
            for name in MODELS:
                _Client(port).call("POST", "registered-models/create", {"name": name})
        yield compare(
            f"{CLIENTS} clients, requests through the server, PostgreSQL",
            ours=lambda _: lambda: _crowd(ours, rounds),
            reference_name="MLflow's store behind its server",
            reference=lambda _: lambda: _crowd(theirs, rounds),
            runs=runs,
            units=CLIENTS * rounds * CALLS_PER_ROUND,
        )


def _crowd(port, rounds):
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda number: _work(port, MODELS[number % len(MODELS)], rounds), range(CLIENTS)))


def _work(port, name, rounds):
    client = _Client(port)
    for _ in range(rounds):
        made = client.call("POST", "model-versions/create", {"name": name, "source": "s3://bench/model"})
        place = {"name": name, "version": made["model_version"]["version"]}
        client.call("POST", "model-versions/set-tag", {**place, "key": "note", "value": "bench"})
        client.call("GET", f"model-versions/get?{urlencode(place)}")
        query = urlencode({"filter": f"name='{name}'", "max_results": 5})
        client.call("GET", f"model-versions/search?{query}")
        client.call("POST", "registered-models/alias", {**place, "alias": f"build-{place['version']}"})
    client.connection.close()


class _Client:
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
def _database():
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
def _server(url, scheme):
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    registry = url.set(drivername=scheme).render_as_string(hide_password=False)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", url.render_as_string(hide_password=False)]
    command += ["--registry-store-uri", registry, "--artifacts-destination", str(folder / "artifacts")]
    environment = os.environ | {"ORDINIS_HOME": str(folder), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(port, process, folder / "log")
        yield port
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
