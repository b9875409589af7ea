"""kill -9 at every statement of a change: it happened whole or not at all, and the next request works."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import uuid

import pytest
import sqlalchemy as sa

MODEL = "sp500_signal"


def promote_second(desk):
    desk.move("2", "active")


def roll_back(desk):
    desk.store.roll_back(MODEL, reason="drill", from_version="1")


def submit_evidence(desk):
    desk.attest("2")


CHANGES = {"promote": promote_second, "roll back": roll_back, "evidence": submit_evidence}


@pytest.fixture
def prepared(desk):
    """A model with version 1 ACTIVE and version 2 ready to replace it."""
    return prepare(desk)


def prepare(desk):
    desk.promote(desk.register())
    second = desk.register()
    desk.attest(second)
    desk.move(second, "shadow")
    desk.approve(second)
    return desk


def die_at(desk, step, change):
    """Run a change in a process that kills itself before its ``step``-th statement or commit; tell if it lived."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    desk.database.close()
    desk.store.engine.dispose()
    pid = os.fork()
    if pid == 0:
        try:
            SqlAlchemyStore._engine_map.clear()  # a forked process must not use its parent's connections
            count = itertools.count(1)

            def tick(*_):
                if next(count) == step:
                    os.kill(os.getpid(), signal.SIGKILL)

            own = type(desk)(desk.home, clock=desk.clock, url=desk.url)
            sa.event.listen(own.store.engine, "before_cursor_execute", tick)
            sa.event.listen(own.store.engine, "commit", tick)
            change(own)
            os._exit(0)
        except BaseException:  # noqa: BLE001  nothing of a child may reach the test runner
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGKILL}
    return os.waitstatus_to_exitcode(status) == 0


def see_that_it_goes_on(desk, disagreements, *, name):
    assert disagreements(desk.database) == []
    if name == "promote":
        if desk.active() == "1":
            desk.move("2", "active")
        assert desk.aliases() == {"active": "2", "last_known_good": "1"}
    elif name == "roll back":
        desk.store.roll_back(MODEL, reason="drill", from_version="1")
        assert desk.aliases() == {"shadow": "2"}
    else:
        desk.clock.advance(seconds=1)
        desk.attest("2")
    assert disagreements(desk.database) == []


def sqlite_copies(desk):
    """Return a way to get a desk on a fresh copy of the database."""
    with desk.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    desk.close()

    def copy():
        path = desk.home / f"copy-{uuid.uuid4().hex}.db"
        shutil.copyfile(desk.home / "ordinis.db", path)
        return type(desk)(desk.home, clock=desk.clock, url=f"sqlite:///{path}")

    return copy


@pytest.mark.parametrize("step", [1, 8, 22, 30])
def test_killed_during_a_promotion(prepared, disagreements, step):
    desk = sqlite_copies(prepared)()
    assert not die_at(desk, step, promote_second)
    see_that_it_goes_on(desk, disagreements, name="promote")
    desk.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CHANGES))
def test_killed_at_every_statement_on_sqlite(prepared, disagreements, name):
    assert kill_everywhere(sqlite_copies(prepared), disagreements, name=name) > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CHANGES))
def test_killed_at_every_third_statement_on_postgresql(postgres, make_desk, disagreements, name):
    desk = prepare(make_desk(url=postgres))
    desk.close()
    url = sa.make_url(postgres)
    admin = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    made = []

    def copy():
        made.append(f"ordinis_test_{uuid.uuid4().hex[:12]}")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {made[-1]} TEMPLATE {url.database}")
        copied = url.set(database=made[-1]).render_as_string(hide_password=False)
        return type(desk)(desk.home, clock=desk.clock, url=copied)

    try:
        assert kill_everywhere(copy, disagreements, name=name, stride=3) > 10
    finally:
        with admin.connect() as connection:
            for database in made:
                connection.exec_driver_sql(f"DROP DATABASE {database} WITH (FORCE)")
        admin.dispose()


def kill_everywhere(copy, disagreements, *, name, stride=1):
    for step in itertools.count(1, stride):
        desk = copy()
        lived = die_at(desk, step, CHANGES[name])
        see_that_it_goes_on(desk, disagreements, name=name)
        desk.close()
        if lived:
            return step
    return 0
