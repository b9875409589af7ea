"""A governed MLflow server on loopback, with a small study and one model in shadow, and a real browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on PATH; on Debian: apt-get install chromium")
    return path


@pytest.fixture(scope="session")
def page(chromium):
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install 'ordinis-learn[browser]'")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1500, "height": 1100})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    """A home in which the governed loop ran once, ``ORDINIS_TEST_DESK`` or one of our own; returns its folder."""
    if "ORDINIS_TEST_DESK" in os.environ:
        return Path(os.environ["ORDINIS_TEST_DESK"])
    home = tmp_path_factory.mktemp("desk")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    command = [sys.executable, "-I", "-m", "ordinis_learn", "--home", str(home), "loop", "--trials", "3"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=600)
    return home


@pytest.fixture(scope="session")
def server(desk):
    """The URL of ``mlflow server`` over the desk's database, as the closing summary says to start it."""
    with _serving(desk, f"sqlite:///{desk}/registry_db/ordinis.db") as url:
        yield url


@pytest.fixture(scope="session")
def serving():
    """A context manager that runs ``mlflow server`` on a database, given with its home, and yields the URL."""
    return _serving


@contextmanager
def _serving(home: Path, database: str) -> Iterator[str]:
    port = _free_port()
    command = [sys.executable, "-I", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--backend-store-uri",
        database,
        "--registry-store-uri",
        f"ordinis+{database}",
        "--workers",
        "1",
    ]
    environment = os.environ | {"ORDINIS_HOME": str(home), "MLFLOW_DISABLE_TELEMETRY": "true"}
    log = (home / "server.log").open("wb")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, home / "server.log")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"mlflow server ended: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):  # noqa: S310  loopback
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    pytest.fail("mlflow server did not answer in 90 s")
