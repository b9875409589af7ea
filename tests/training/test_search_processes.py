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


def kill_when(process, ready):
    """Kill a search at a moment that is sure to be before its end."""
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.poll() is None
    end(process)


def told_in_journal(path):
    # Optuna writes operation 6 where a trial gets its state.
    return path.read_text().count('"op_code":6') if path.exists() else 0


def told_in(url):
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(url) as connection:
        (table,) = connection.execute("SELECT to_regclass('trials')").fetchone()
        if table is None:
            return 0
        (count,) = connection.execute("SELECT count(*) FROM trials WHERE state <> 'RUNNING'").fetchone()
        return count


def end(process):
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_a_killed_search_is_continued_by_another_process_to_the_same_bytes(tmp_path, train, planted):
    journal = tmp_path / "study.log"
    killed = begin(tmp_path / "killed", trials=8, journal=str(journal))
    kill_when(killed, lambda: told_in_journal(journal) >= 3)
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
    yield SERVER.rsplit("/", 1)[0] + f"/{name}"
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.mark.slow
def test_two_hosts_share_a_study_and_one_is_killed(tmp_path, train, planted, postgres):
    asked = {"trials": 10, "trials_at_once": 2, "url": postgres, "stale_after_s": 1.0}
    first = begin(tmp_path / "first", **asked)
    kill_when(first, lambda: told_in(postgres) >= 2)
    others = [begin(tmp_path / f"host{n}", **asked) for n in range(2)]
    answers = [answer(process) for process in others]
    whole = train(TrainConfig(**CONFIG, trials=10, trials_at_once=2), planted)
    assert {one["sha256"] for one in answers} == {tree_sha256(whole.bundle)}
    assert {one["trials"] for one in answers} == {10}
    # What was killed had begun a third trial, which one of the others ran again under its number.
    assert sum(one["ran"] for one in answers) >= 8
    assert told_in(postgres) == 10
