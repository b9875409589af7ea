"""``ordinis-learn metrics`` as an operator types it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from click.testing import CliRunner

from ordinis_learn.cli import main
from ordinis_learn.settings import load_settings
from ordinis_learn.wiring import open_engine


@pytest.fixture(autouse=True)
def _own_addresses(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)


def run(home, *words):
    return CliRunner().invoke(main, ["--home", str(home), "metrics", *words])


def test_a_new_home_is_not_all_zeros_and_stays_empty(tmp_path):
    done = run(tmp_path, "print")
    assert done.exit_code == 1
    assert 'learn_scrape_error{source="event_log"} 1.0' in done.output
    assert "learn_events_total" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_a_desk_is_read_and_a_broken_part_named(tmp_path):
    with open_engine(home=tmp_path):
        pass
    done = run(tmp_path, "print")
    assert done.exit_code == 0, done.output
    assert 'learn_events_total{type="ordinis.signals.generated"} 0.0' in done.output
    (tmp_path / "data" / "events.db").write_bytes(b"nonsense" * 1000)
    done = run(tmp_path, "print")
    assert done.exit_code == 1
    assert 'learn_scrape_error{source="event_log"} 1.0' in done.output
    assert "learn_ledger_records_total 0.0" in done.output


@pytest.mark.parametrize(
    ("words", "environ", "said"),
    [
        (["--host", "192.0.2.1"], {}, "LEARN_METRICS_TOKEN"),
        (["--port", "70000"], {}, "70000"),
        ([], {"LEARN_METRICS_TOKEN": "short"}, "LEARN_METRICS_TOKEN"),
        ([], {"LEARN_METRICS_PORT": "many"}, "LEARN_METRICS_PORT"),
        (["--host", "192.0.2.1"], {"LEARN_METRICS_TOKEN": "x" * 16}, "listen on 192.0.2.1"),
    ],
)
def test_what_cannot_be_served_says_why(tmp_path, monkeypatch, words, environ, said):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    done = run(tmp_path, "serve", *words)
    assert done.exit_code in {1, 2}
    assert said in done.output
    assert "Traceback" not in done.output


def test_the_token_is_not_shown(monkeypatch):
    monkeypatch.setenv("LEARN_METRICS_TOKEN", "sixteen characters")
    assert "sixteen" not in repr(load_settings())


@pytest.mark.slow  # a process that imports everything
def test_served_until_sigterm(tmp_path):
    with open_engine(home=tmp_path):
        pass
    command = [
        sys.executable,
        "-Im",
        "ordinis_learn",
        "--home",
        str(tmp_path),
        "metrics",
        "serve",
        "--port",
        "0",
    ]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        line = process.stdout.readline()
        url = re.search(r"http://\S+", line)[0]
        for _ in range(2):
            with urllib.request.urlopen(url) as answer:  # noqa: S310  a server of this test
                assert b"learn_event_log_position 0.0" in answer.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
