"""``ordinis-learn watch --once`` killed while it carries out an order, and typed again."""

from __future__ import annotations

import itertools
import os
import shutil
import signal

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from ordinis_learn.alerts import Sighting
from ordinis_learn.cli import main
from ordinis_learn.records import ModelType
from ordinis_learn.use_cases import watch
from ordinis_learn.use_cases.alerting import sight
from ordinis_registry import GovernanceDatabase, SqlAlertBook, SqlCatalogue, SqlLedger

MODEL = "desk_rule"
EXIT_KILLED = -signal.SIGKILL


def in_a_process(work):
    """Do something in a process of its own; return how it ended."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    pid = os.fork()
    if pid == 0:
        try:
            SqlAlchemyStore._engine_map.clear()  # a forked process must not use its parent's connections
            os._exit(work())
        except BaseException:  # noqa: BLE001  nothing of a child may reach the test runner
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def watch_once():
    return CliRunner().invoke(main, ["watch", "--once"]).exit_code


def watch_and_die(step):
    """Watch once; the process kills itself before the ``step``-th statement or commit since it began with the orders."""
    count = itertools.count(1)
    carry_out = watch.carry_out_orders

    def tick(*_):
        if next(count) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def carry_out_and_die(bench):
        sa.event.listen(sa.Engine, "before_cursor_execute", tick)
        sa.event.listen(sa.Engine, "commit", tick)
        done = carry_out(bench)
        sa.event.remove(sa.Engine, "before_cursor_execute", tick)
        sa.event.remove(sa.Engine, "commit", tick)
        return done

    watch.carry_out_orders = carry_out_and_die
    return watch_once()


@pytest.fixture
def ordered(engine, home, promoted, monkeypatch):
    """A home in which everything is done but one order to roll version 2 back."""
    for name, value in {
        "LEARN_RESPONSE_POLICY": "response_rollback_v1",
        "LEARN_MIN_SAMPLES": "100",
        "LEARN_DRIFT_DATASET": "core",
        "LEARN_DRIFT_WINDOW_SESSIONS": "10",
    }.items():
        monkeypatch.setenv(name, value)
    promoted()
    assert in_a_process(watch_once) == 0
    bench = engine.workbench
    settings = bench.settings.model_copy(update={"learn_response_policy": "response_rollback_v1"})
    sight(
        type(bench)(**{**bench.__dict__, "settings": settings}),
        Sighting(
            kind="drift",
            subject=MODEL,
            version="2",
            metric="sharpe_decline",
            severity="critical",
            summary="lost its edge",
            source="w2",
            model_type=ModelType.SIGNAL_MODEL,
        ),
    )
    engine.workbench.close()
    with sa.create_engine(f"sqlite:///{home / 'registry_db' / 'ordinis.db'}").connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return home


def rolled_back_once(home):
    """See that the order was carried out, once, and that everything says so."""
    database = GovernanceDatabase(f"sqlite:///{home / 'registry_db' / 'ordinis.db'}")
    book = SqlAlertBook(database, clock=lambda: None)
    ledger = SqlLedger(database)
    (done,) = [one for one in book.responses(pending=False) if one.action == "roll_back"]
    assert done.outcome == "rolled back to v1"
    assert [one.action for one in book.responses(pending=True)] == ["request_retrain"]
    actions = [record.action for record in ledger.history(MODEL)]
    assert [actions.count(action) for action in ("rolled_back", "response.completed")] == [1, 1]
    topics = [event["topic"] for event in SqlCatalogue(database, clock=lambda: None).pending_events()]
    assert topics.count("ordinis.learn.rollback.completed") == 1
    assert ledger.verify() == []
    with database.reading() as session:
        query = "SELECT alias, version FROM registered_model_aliases WHERE name = :name"
        aliases = dict(session.execute(sa.text(query), {"name": MODEL}).all())
    assert str(aliases["active"]) == "1"
    database.close()


@pytest.mark.slow
def test_killed_at_every_third_statement_of_its_orders_it_rolls_back_once(ordered, tmp_path, monkeypatch):
    ended = []
    for step in itertools.count(1, 3):
        home = tmp_path / f"step-{step}"
        shutil.copytree(ordered, home)
        monkeypatch.setenv("ORDINIS_HOME", str(home))
        ended.append(in_a_process(lambda step=step: watch_and_die(step)))
        assert in_a_process(watch_once) == 0
        rolled_back_once(home)
        shutil.rmtree(home)
        if ended[-1] != EXIT_KILLED:
            break
    assert ended[-1] == 0
    assert len(ended) > 15
