"""Searches whose processes are killed, and searches that several processes share."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from ordinis_learn.records import tree_sha256
from ordinis_learn.training import TrainConfig

SCRIPT = Path(__file__).with_name("search_process.py")
SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
CONFIG = {"name": "m", "dataset": "core", "rounds": 60, "early_stopping_rounds": 60, "folds": 3}


def begin(folder, **asked):
    return subprocess.Popen(
        [sys.executable, "-I", str(SCRIPT), str(folder), json.dumps(CONFIG | asked)],
        stdout=subprocess.PIPE,
        text=True,
    )


def answer(process):
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(told)


def kill_after(process, journal, *, finished):
    """Kill a search when its journal shows that many trials which ended, in the middle of the next."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = journal.read_text().splitlines() if journal.exists() else []
        # Optuna writes operation 6 where a trial gets its state.
        if sum('"op_code":6' in line for line in lines) >= finished:
            break
        time.sleep(0.01)
    assert process.poll() is None
    process.kill()
    process.wait()


def test_a_killed_search_is_continued_by_another_process_to_the_same_bytes(tmp_path, train, planted):
    journal = tmp_path / "study.log"
    killed = begin(tmp_path / "killed", trials=8, journal=str(journal))
    kill_after(killed, journal, finished=3)
    rest = answer(begin(tmp_path / "rest", trials=8, journal=str(journal)))
    whole = train(TrainConfig(**CONFIG, trials=8), planted)
    assert rest["trials"] == whole.artifact.trials == 8
    assert 0 < rest["ran"] <= 5
    assert rest["sha256"] == tree_sha256(whole.bundle)


@pytest.fixture
def postgres():
    psycopg = pytest.importorskip("psycopg")
    name = f"ordinis_test_{uuid.uuid4().hex[:12]}"
    try:
        admin = psycopg.connect(SERVER, autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL server; ORDINIS_TEST_POSTGRES_URL names one")
    admin.execute(f"CREATE DATABASE {name}")
    yield psycopg.conninfo.make_conninfo, SERVER.rsplit("/", 1)[0] + f"/{name}"
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.mark.slow
def test_two_hosts_share_a_study_and_one_is_killed(tmp_path, train, planted, postgres):
    _, url = postgres
    asked = {"trials": 10, "trials_at_once": 2, "url": url, "stale_after_s": 1.0}
    processes = [begin(tmp_path / f"host{n}", **asked) for n in range(3)]
    time.sleep(6.0)
    processes[0].kill()
    processes[0].wait()
    answers = [answer(process) for process in processes[1:]]
    whole = train(TrainConfig(**CONFIG, trials=10, trials_at_once=2), planted)
    assert {one["sha256"] for one in answers} == {tree_sha256(whole.bundle)}
    assert {one["trials"] for one in answers} == {10}
