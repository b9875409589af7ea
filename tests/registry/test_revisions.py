"""A database of every released revision still opens, upgrades, and works."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ordinis_learn.alerts import Context, Sighting, load_response_policy, raise_alert
from ordinis_learn.records import Actor, Heartbeat
from ordinis_registry import GovernanceDatabase, SqlAlertBook, SqlCatalogue, SqlIdentityBook, SqlLedger
from ordinis_registry import ledger as chain
from ordinis_registry.database import _scripts

FILES = sorted((Path(__file__).parent / "revisions").glob("r*.db"))


def test_every_revision_before_the_newest_has_a_file():
    *older, _newest = sorted(script.revision for script in _scripts().walk_revisions())
    assert [path.stem for path in FILES] == older


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def old(request, tmp_path):
    path = tmp_path / "ordinis.db"
    shutil.copyfile(request.param, path)
    database = GovernanceDatabase(f"sqlite:///{path}")
    assert database.revision() == request.param.stem
    yield database
    database.close()


def use(database, make):
    """Read what was there, write on, and see that everything holds."""
    catalogue = SqlCatalogue(database, clock=lambda: make.now)
    assert catalogue.dataset("core@v1").rows == 5000
    assert [artifact.artifact_id for artifact in catalogue.artifacts("sp500_signal")] == ["ART-1"]
    assert [one.name for one in SqlIdentityBook(database, clock=lambda: make.now).identities()] == [
        "model-risk"
    ]
    book = SqlLedger(database)
    assert len(book.history("sp500_signal")) >= 7
    with database.reading() as session:
        assert chain.pointers(session, "sp500_signal").active == "1"
    with database.session() as session:
        actor = Actor(name="later", kind="claimed")
        chain.append(session, subject="sp500_signal", action="note", actor=actor, at=make.now, body={})
    use_alerts(database, make)
    # The records of these files are abbreviated: made for the schema, not by the store.
    assert {fault.kind for fault in book.faults()} <= {"unlawful"}


def use_alerts(database, make):
    """Go on from the drift checks and the alert of before with incidents, orders and signs of life."""
    catalogue, alerts = (
        SqlCatalogue(database, clock=lambda: make.now),
        SqlAlertBook(database, clock=lambda: make.now),
    )
    (before,) = catalogue.drift("sp500_signal")
    assert alerts.last_session("sp500_signal", before.version) is None
    monitor = Actor(name="monitor", kind="claimed")
    seen = Sighting(kind="flat", subject="sp500_signal", severity="critical", summary="flat", source="a")
    context = Context(policy=load_response_policy(), now=make.now, by="monitor")
    after = alerts.add_check(
        make.drift(current_rows=401),
        identity="w1",
        session=make.now.date(),
        plan=lambda standing: raise_alert(standing, seen, context=context),
        actor=monitor,
    )
    assert list(catalogue.drift("sp500_signal")) == [before, after]
    assert alerts.last_session("sp500_signal", after.version) == make.now.date()
    assert [alert.kind for alert in alerts.alerts("sp500_signal")] == ["flat"]
    alerts.beat(Heartbeat(job="drift", at=make.now, ok_at=make.now))
    assert set(alerts.beats()) == {"drift"}
    catalogue.add_failure("train", label="signal_model", subject="sp500_signal", code="E", found="x")
    assert catalogue.failures("train") == {"signal_model": 1}


def test_it_is_upgraded_and_used(old, make):
    old.upgrade()
    assert old.revision() == old.newest_revision()
    assert old.differences() == []
    use(old, make)


@pytest.mark.slow  # two processes that import MLflow
@pytest.mark.parametrize("theirs_first", [True, False])
def test_mlflows_own_upgrade_before_or_after_does_no_harm(old, make, theirs_first):
    """MLflow refuses to upgrade a database it never used, so it uses this one first."""
    command = "import warnings; warnings.simplefilter('ignore'); from mlflow.store.db.utils import _initialize_tables"
    script = f"{command}; import sqlalchemy; _initialize_tables(sqlalchemy.create_engine({old.url!r}))"
    python = [sys.executable, "-I", "-W", "ignore"]
    subprocess.run([*python, "-c", script], check=True, capture_output=True)
    if not theirs_first:
        old.upgrade()
    subprocess.run([*python, "-m", "mlflow", "db", "upgrade", old.url], check=True, capture_output=True)
    old.upgrade()
    assert old.differences() == []
    use(old, make)
    with sqlite3.connect(str(old.engine.url.database)) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    connection.close()
