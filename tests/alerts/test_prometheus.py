"""A real Prometheus scrapes a desk over which the loop has run: every query of the dashboard finds series, every rule evaluates."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ordinis_learn.cli import main
from ordinis_learn.errors import RolloutDenied
from ordinis_learn.records import State
from ordinis_learn.use_cases.drift_daily import run_daily_drift

FOLDER = Path(__file__).parents[2] / "docs" / "observability"
PANELS = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
QUERIES = {target["expr"]: panel["title"] for panel in PANELS for target in panel.get("targets", ())}
NEVER_HAPPENED = {"Evaluations in a day", "Alerts in a day"}
"""Panels about what this desk never did: their series begin with the first time."""


@pytest.fixture
def lived(engine, bench, promoted, captured, clock, home):
    """A desk that trained twice, met a bad event, was refused, checked its drift, sealed a checkpoint and rolled back."""
    second = promoted()
    engine.workbench.recorder.record_events([{"event_id": "bad"}])
    third = engine.train({"name": second.name, "model": "rule"})
    with pytest.raises(RolloutDenied):
        bench.registry.transition(third.name, third.version, State.ACTIVE)
    clock.to(captured)
    run_daily_drift(bench)
    for words in (
        ("rollback", second.name, "--reason", "rehearsed"),
        ("ledger", "checkpoint"),
    ):
        done = CliRunner().invoke(main, ["--home", str(home), *words])
        assert done.exit_code == 0, done.output
    return home


@pytest.fixture
def prometheus(lived, tmp_path):
    """The address of a server that has scraped the desk's endpoint a few times."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    with ExitStack() as stack:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        served = [
            sys.executable,
            "-Im",
            "ordinis_learn",
            "--home",
            str(lived),
            "metrics",
            "serve",
            "--port",
            "0",
        ]
        endpoint = subprocess.Popen(served, stdout=subprocess.PIPE, text=True, env=environ)
        stack.callback(_end, endpoint)
        target = re.search(r"http://([^/]+)/", endpoint.stdout.readline())[1]
        config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(_quickened(tmp_path))]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
        (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        address = f"127.0.0.1:{_free_port()}"
        started = [
            *(program, "--config.file", str(tmp_path / "prometheus.yaml")),
            *("--storage.tsdb.path", str(tmp_path / "series"), "--web.listen-address", address),
        ]
        server = subprocess.Popen(started, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        stack.callback(_end, server)
        url = f"http://{address}"
        _until(lambda: float(_asked(url, "count_over_time(learn_scrape_error[1m])")[0]["value"][1]) > 2)
        yield url


@pytest.mark.slow
def test_every_query_finds_series_and_every_rule_evaluates(prometheus):
    empty = {
        title
        for query, title in QUERIES.items()
        if not _asked(prometheus, query.replace("$model_type", ".*"))
    }
    assert empty == NEVER_HAPPENED
    written = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    rules = {
        rule["name"]: rule
        for group in _got(f"{prometheus}/api/v1/rules")["groups"]
        for rule in group["rules"]
    }
    assert set(rules) == {rule["alert"] for group in written for rule in group["rules"]}
    _until(lambda: all(rule["health"] == "ok" for rule in _rules(prometheus)))
    assert [rule["lastError"] for rule in _rules(prometheus) if "lastError" in rule] == []
    assert "LearnNotScraped" not in {rule["name"] for rule in _rules(prometheus) if rule["alerts"]}


def _rules(url):
    return [rule for group in _got(f"{url}/api/v1/rules")["groups"] for rule in group["rules"]]


def _quickened(folder):
    """The alert rules as they are, evaluated every second."""
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        group["interval"] = "1s"
    path = folder / "alerts.yaml"
    path.write_text(yaml.safe_dump(rules), encoding="utf-8")
    return path


def _asked(url, query):
    return _got(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}")["result"]


def _got(url):
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  a server of this test
        return json.load(answer)["data"]


def _until(done):
    for _ in range(120):
        try:
            if done():
                return
        except (OSError, IndexError):
            pass
        time.sleep(1)
    pytest.fail("it did not come to that in two minutes")


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _end(process):
    process.terminate()
    process.wait(timeout=30)
    if process.stdout is not None:
        process.stdout.close()
