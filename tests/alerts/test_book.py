"""The contract of an alert book, for the one in memory and the one over SQL."""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from ordinis_learn.alerts import (
    Sighting,
    acknowledge,
    escalate,
    load_response_policy,
    raise_alert,
    resolve,
)
from ordinis_learn.errors import DataMissing
from ordinis_learn.records import Actor, AlertChanges, DriftReport, Heartbeat
from ordinis_learn.testing.alert_book import InMemoryAlertBook
from ordinis_registry import GovernanceDatabase, SqlAlertBook, SqlCatalogue, SqlLedger
from ordinis_registry._alert_rows import put_beat
from ordinis_registry.alert_book import is_blocked

SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
MONITOR = Actor(name="monitor", kind="claimed")
SEEN = Sighting(
    kind="drift", subject="m", version="2", severity="critical", summary="s", source="a", metric="psi"
)


@pytest.fixture
def database(tmp_path):
    opened = GovernanceDatabase(f"sqlite:///{tmp_path / 'ordinis.db'}")
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def server_database():
    """A database of its own on a PostgreSQL server, where one is."""
    admin = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT")
    name = f"ordinis_alerts_{uuid.uuid4().hex[:12]}"
    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except (ModuleNotFoundError, sa.exc.OperationalError):
        pytest.skip("no PostgreSQL server or no driver; ORDINIS_TEST_POSTGRES_URL names one")
    opened = GovernanceDatabase(sa.make_url(SERVER).set(database=name).render_as_string(hide_password=False))
    opened.upgrade()
    yield opened
    opened.close()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def book(request, clock):
    if request.param == "memory":
        return InMemoryAlertBook(clock=clock)
    kind = "database" if request.param == "sqlite" else "server_database"
    return SqlAlertBook(request.getfixturevalue(kind), clock=clock)


def report(**changes):
    at = datetime(2026, 1, 5, tzinfo=UTC)
    fields = {"model": "m", "version": "2", "dataset_ref": "core@1", "start": at, "end": at}
    fields |= {"reference_rows": 1, "current_rows": 1, "alpha": 0.05, "findings": (), "breached": False}
    return DriftReport(**fields | {"created_at": at} | changes)


def nothing(_standing):
    return AlertChanges()


def test_a_window_is_checked_once_and_what_follows_is_written_with_it(book, context):
    def plan(standing):
        return raise_alert(standing, SEEN, context=context())

    first = book.add_check(report(), identity="w1", session=date(2026, 1, 5), plan=plan, actor=MONITOR)
    again = book.add_check(
        report(current_rows=9), identity="w1", session=date(2026, 1, 5), plan=plan, actor=MONITOR
    )
    assert again == first == book.check("w1")
    assert book.check("w2") is None
    (alert,) = book.alerts("m")
    assert (alert.repeats, alert.blocks) == (1, True)
    assert [fact.what for fact in book.facts(alert.alert_id)] == ["opened"]
    assert [one.action for one in book.responses(pending=False)] == ["block_promotions"]
    assert len(book.deliveries()) == 1


def test_daily_checks_are_in_order_and_those_by_hand_apart(book):
    days = [date(2026, 1, day) for day in (5, 6, 7)]
    for day in days:
        book.add_check(
            report(current_rows=day.day), identity=f"w{day}", session=day, plan=nothing, actor=MONITOR
        )
    book.add_check(report(current_rows=99), identity="hand", session=None, plan=nothing, actor=MONITOR)
    assert [one.current_rows for one in book.checks("m", "2", newest=2)] == [6, 7]
    assert book.checks("m", "2", newest=0) == []
    assert book.last_session("m", "2") == days[-1]
    assert book.last_session("m", "3") is None


def test_a_check_is_unlogged_until_a_run_is_known_and_the_first_answer_stays(book):
    book.add_check(report(), identity="w1", session=None, plan=nothing, actor=MONITOR)
    assert [identity for identity, _ in book.unlogged()] == ["w1"]
    book.mark_logged("w1", run_id="r1")
    book.mark_logged("w1", run_id="r2")
    assert book.unlogged() == []


def test_alerts_are_found_by_the_beginning_of_their_id_and_close(book, context):
    (alert,) = book.change(
        "m", lambda standing: raise_alert(standing, SEEN, context=context()), actor=MONITOR
    ).alerts
    assert book.alert(alert.alert_id[:8]) == alert
    for prefix in ("zz", "", "%"):
        with pytest.raises(DataMissing):
            book.alert(prefix)
    book.change("m", lambda standing: acknowledge(standing[0], comment="x", context=context()), actor=MONITOR)
    assert book.alerts("m")[0].status == "acknowledged"
    book.change("m", lambda standing: resolve(standing, "drift", why="x", context=context()), actor=MONITOR)
    assert book.alerts() == []
    assert [one.status for one in book.alerts(closed=True)] == ["closed"]
    assert [fact.what for fact in book.facts(alert.alert_id)] == ["opened", "acknowledged", "closed"]


def test_an_order_is_done_once(book, context):
    policy = load_response_policy("response_rollback_v1")
    seen = replace(SEEN, metric="sharpe_decline")
    book.change(
        "m", lambda standing: raise_alert(standing, seen, context=context(policy=policy)), actor=MONITOR
    )
    pending = {one.action: one for one in book.responses(pending=True)}
    assert set(pending) == {"roll_back", "request_retrain"}
    finished = pending["roll_back"].model_copy(update={"status": "done", "outcome": "x"})
    assert book.finish(finished, nothing, actor=MONITOR)
    other = finished.model_copy(update={"outcome": "y"})
    assert not book.finish(other, nothing, actor=MONITOR)
    done = {one.action: one.outcome for one in book.responses(pending=False)}
    assert done["roll_back"] == "x"


def test_a_message_waits_until_it_is_delivered_and_stays_so(book, context, clock):
    book.change("m", lambda standing: raise_alert(standing, SEEN, context=context()), actor=MONITOR)
    (message,) = book.deliveries(due=clock())
    book.settle(message.model_copy(update={"next_at": clock() + timedelta(hours=1), "attempts": 1}))
    assert book.deliveries(due=clock()) == []
    assert book.deliveries()[0].attempts == 1
    done = message.model_copy(update={"delivered_at": clock(), "attempts": 2})
    book.settle(done)
    book.settle(message)
    assert book.deliveries() == []


def test_what_was_closed_and_is_seen_again_by_the_same_source_is_told_again(book, context, clock):
    def see():
        book.change("m", lambda standing: raise_alert(standing, SEEN, context=context()), actor=MONITOR)

    see()
    (first,) = book.alerts()
    clock.advance(minutes=1)
    book.change(
        "m", lambda standing: resolve(standing, "drift", why="gone", context=context()), actor=MONITOR
    )
    clock.advance(minutes=1)
    see()
    (second,) = book.alerts()
    assert [one.status for one in book.alerts(closed=True)] == ["closed", "open"]
    assert [fact.what for fact in book.facts(first.alert_id)] == ["opened", "closed"]
    assert [fact.what for fact in book.facts(second.alert_id)] == ["opened"]
    assert [one.payload["what"] for one in book.deliveries()] == ["opened", "closed", "opened"]
    assert [one.alert_id for one in book.responses(pending=False)] == [first.alert_id, second.alert_id]


def test_sources_that_take_turns_leave_a_fact_for_each_time_they_were_counted(book, context):
    for source in "abab":
        seen = replace(SEEN, source=source)
        book.change(
            "m", lambda standing, seen=seen: raise_alert(standing, seen, context=context()), actor=MONITOR
        )
    (alert,) = book.alerts()
    assert alert.repeats == len(book.facts(alert.alert_id)) == 4


def test_many_messages_on_one_route_keep_none_of_the_other_s_back(book, context, clock):
    for number in range(12):
        seen = replace(SEEN, source=f"s{number}", metric=f"m{number}")
        book.change(
            "m", lambda standing, seen=seen: raise_alert(standing, seen, context=context()), actor=MONITOR
        )
    clock.advance(hours=25)
    book.change("m", lambda standing: escalate(standing, context=context()), actor=MONITOR)
    due = book.deliveries(due=clock(), limit=5)
    assert [one.route for one in due] == ["default"] * 5 + ["escalation"] * 5
    assert [one.created_at for one in due] == sorted(one.created_at for one in due)


def test_an_order_that_stands_is_noted_once_however_often_the_alert_rises(book, context, clock):
    seen = replace(SEEN, metric="sharpe_decline")
    policy = load_response_policy("response_rollback_v1")
    book.change(
        "m", lambda standing: raise_alert(standing, seen, context=context(policy=policy)), actor=MONITOR
    )
    for _ in range(3):
        clock.advance(hours=25)
        book.change("m", lambda standing: escalate(standing, context=context(policy=policy)), actor=MONITOR)
    assert len(book.responses(pending=True)) + len(book.responses(pending=False)) == 3
    if isinstance(book, InMemoryAlertBook):
        ordered = [body["action"] for _, action, _, body in book.notes if action == "response.ordered"]
    else:
        records = SqlLedger(book._database).history("m")
        ordered = [one.body["action"] for one in records if one.action == "response.ordered"]
    assert ordered == ["block_promotions", "roll_back", "request_retrain"]


def test_the_newest_sign_of_life_replaces_the_one_before(book, clock):
    book.beat(Heartbeat(job="drift", at=clock()))
    clock.advance(hours=-1)
    book.beat(Heartbeat(job="drift", at=clock(), said="set back"))
    assert book.beats()["drift"].said == "set back"


def test_the_bus_and_the_ledger_hear_of_it_in_the_same_transaction(database, clock, context):
    book = SqlAlertBook(database, clock=clock)
    catalogue, ledger = SqlCatalogue(database, clock=clock), SqlLedger(database)
    policy = load_response_policy("response_rollback_v1")
    seen = replace(SEEN, metric="sharpe_decline")

    def broken(standing):
        raise_alert(standing, seen, context=context(policy=policy))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        book.change("m", broken, actor=MONITOR)
    assert book.alerts() == ledger.history("m") == catalogue.pending_events() == []
    book.change(
        "m", lambda standing: raise_alert(standing, seen, context=context(policy=policy)), actor=MONITOR
    )
    records = ledger.history("m")
    assert [(one.action, one.actor.name, one.body["action"]) for one in records] == [
        ("response.ordered", "monitor", "block_promotions"),
        ("response.ordered", "monitor", "roll_back"),
        ("response.ordered", "monitor", "request_retrain"),
    ]
    assert {one.body["policy_hash"] for one in records} == {policy.policy_hash}
    assert {one.body["alert_id"] for one in records} == {book.alerts()[0].alert_id}
    assert [one["topic"] for one in catalogue.pending_events()] == ["ordinis.learn.retrain.requested"]
    assert ledger.verify() == []
    with database.reading() as session:
        assert [is_blocked(session, "m", version) for version in ("2", "3")] == [True, False]


@pytest.mark.parametrize("kind", ["database", "server_database"])
def test_many_at_once_open_one_alert_and_count_each_source_once(request, kind, clock, context):
    database = request.getfixturevalue(kind)

    def see(number):
        book = SqlAlertBook(database, clock=clock)
        seen = replace(SEEN, source=f"s{number % 5}")
        book.change("m", lambda standing: raise_alert(standing, seen, context=context()), actor=MONITOR)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(see, range(5)))
    (alert,) = SqlAlertBook(database, clock=clock).alerts()
    assert alert.repeats == 5


def test_first_signs_of_life_that_come_at_once_are_no_error(server_database, clock):
    """Two processes whose transactions both began before either wrote: the later waits for the first and stands."""
    first, second = (
        Heartbeat(job="drift", at=clock(), said="one"),
        Heartbeat(job="drift", at=clock(), said="two"),
    )
    with ThreadPoolExecutor() as pool, server_database.session() as earlier:
        put_beat(earlier, first)
        earlier.flush()
        later = pool.submit(SqlAlertBook(server_database, clock=clock).beat, second)
        with pytest.raises(TimeoutError):
            later.result(timeout=0.3)  # it waits for the row
        earlier.commit()
        later.result(timeout=30)
    assert SqlAlertBook(server_database, clock=clock).beats() == {"drift": second}
