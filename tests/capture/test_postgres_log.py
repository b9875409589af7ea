"""What only a server can get wrong: many hosts at once, positions, broken connections, other people's tables."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from ordinis_learn.capture import open_event_log, validate_event
from ordinis_learn.errors import ConfigInvalid, EventInvalid, StoreUnavailable
from ordinis_learn.ports import EventRow
from ordinis_learn.records import Topic

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")


def rows(*names):
    return [EventRow(name, Topic.BAR.value, 1, 1, "KO", "c", "{}", "{}") for name in names]


@pytest.fixture
def hosts(postgres, tmp_path, clock):
    """Open any number of logs on one database, as as many hosts would."""
    opened = []

    def more(number):
        for _ in range(number):
            log = open_event_log(
                postgres, path=tmp_path / "unused.db", sealed=tmp_path / "events", clock=clock
            )
            opened.append(log)
        return opened[-number:]

    yield more
    for log in opened:
        log.close()


def test_hosts_that_start_and_write_at_once(hosts, postgres, tmp_path, clock):
    def host(_):
        log = open_event_log(postgres, path=tmp_path / "unused.db", sealed=tmp_path / "events", clock=clock)
        stored = sum(
            log.append_rows(rows(*(f"e-{n}" for n in range(first, first + 20))))
            for first in range(0, 200, 10)
        )
        log.close()
        return stored

    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(host, range(4)))
    (log,) = hosts(1)
    assert sum(stored) == log.counts()[Topic.BAR] == 210


def test_a_position_that_was_seen_is_never_preceded_by_a_later_one(hosts):
    """Readers note (position, events up to it) while four hosts write; afterwards every note still holds."""
    *writers, reader = hosts(5)
    stop, notes = threading.Event(), []

    def write(number):
        for n in range(60):
            writers[number].append_rows(rows(f"{number}-{n}", f"{number}-{n}-b"))

    def read():
        while not stop.is_set():
            position = reader.position()
            notes.append((position, reader.scan(Topic.BAR, until_position=position)["event_id"].to_pylist()))

    watching = threading.Thread(target=read)
    watching.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    stop.set()
    watching.join(20)
    assert len(notes) > 3
    for position, ids in notes:
        assert reader.scan(Topic.BAR, until_position=position)["event_id"].to_pylist() == ids


def test_a_writer_waits_until_the_commit_before_it_is_visible(hosts, postgres):
    """Were positions taken without the lock, the open transaction's smaller one would appear later."""
    (log,) = hosts(1)
    entered, go_on = threading.Event(), threading.Event()

    def slow(connection):
        connection.execute("SELECT 1")
        entered.set()
        go_on.wait(10)
        return log_insert(connection, "slow")

    def log_insert(connection, name):
        from ordinis_learn.capture._postgres import _INSERT

        columns = [list(column) for column in zip(*rows(name), strict=True)]
        return connection.execute(_INSERT, columns).rowcount

    (other,) = hosts(1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(log._write, slow)
        assert entered.wait(10)
        second = pool.submit(other.append_rows, rows("quick"))
        with pytest.raises(TimeoutError):
            second.result(timeout=0.3)
        assert other_position(postgres) == 0
        go_on.set()
        assert (first.result(10), second.result(10)) == (1, 1)
    positions = dict(
        zip(*(log.scan(Topic.BAR)[name].to_pylist() for name in ("event_id", "position")), strict=True)
    )
    assert positions["slow"] < positions["quick"]


def other_position(url):
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT coalesce(max(position), 0) FROM ordinis_events.events").fetchone()[
            0
        ]


def test_a_connection_that_broke_is_opened_again(hosts, postgres):
    (log,) = hosts(1)
    log.append_rows(rows("before"))
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", (log._connection.info.backend_pid,))
    with pytest.raises(StoreUnavailable) as caught:
        log.append_rows(rows("lost"))
    assert caught.value.retryable
    assert log.append_rows(rows("lost")) == 1
    assert log.counts() == {Topic.BAR: 2}


def test_commits_wait_for_the_disk_whatever_the_database_says(hosts, postgres):
    name = postgres.rsplit("/", 1)[1]
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    try:
        (log,) = hosts(1)
        assert log._connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        log._connection.rollback()
    finally:
        with psycopg.connect(postgres, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} RESET synchronous_commit")


def test_other_tables_of_the_database_are_left_alone(hosts, postgres):
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TABLE public.events (mine text)")
    try:
        (log,) = hosts(1)
        log.append_rows(rows("a"))
        with psycopg.connect(postgres) as connection:
            assert connection.execute("SELECT count(*) FROM public.events").fetchone() == (0,)
    finally:
        with psycopg.connect(postgres) as connection:
            connection.execute("DROP TABLE public.events")


def test_a_newer_schema_is_refused(hosts, postgres):
    hosts(1)
    with psycopg.connect(postgres) as connection:
        connection.execute("UPDATE ordinis_events.schema_version SET version = 99")
    with pytest.raises(StoreUnavailable, match="upgrade"):
        hosts(1)


def test_a_server_that_is_not_there(tmp_path, clock):
    with pytest.raises(StoreUnavailable) as caught:
        open_event_log(
            "postgresql://someone:secret@127.0.0.1:1/x", path=tmp_path / "e.db", sealed=tmp_path, clock=clock
        )
    assert "LEARN_EVENTS_URL" in caught.value.next_step
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://localhost/x", "postgresql://[::1/x", "postgresql://h/x?nonsense=1"])
def test_an_address_that_cannot_be_used(tmp_path, clock, url):
    with pytest.raises(ConfigInvalid, match="LEARN_EVENTS_URL"):
        open_event_log(url, path=tmp_path / "e.db", sealed=tmp_path, clock=clock)


def test_a_closed_log_says_so(hosts):
    (log,) = hosts(1)
    log.close()
    for call in (lambda: log.append_rows(rows("a")), log.position, lambda: log.scan(Topic.BAR)):
        with pytest.raises(StoreUnavailable):
            call()


def test_a_row_that_cannot_be_stored_fails_alone(hosts):
    (log,) = hosts(1)
    started = threading.Barrier(8)

    def call(number):
        started.wait(10)
        try:
            return log.append_rows(rows("\ud800" if number == 3 else f"e-{number}"))
        except UnicodeEncodeError:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(call, range(8)))
    assert outcomes == [1, 1, 1, "refused", 1, 1, 1, 1]


def test_a_name_with_nul_is_a_bad_event_everywhere(bar):
    with pytest.raises(EventInvalid):
        validate_event(bar("a\x00b"))
    with pytest.raises(EventInvalid):
        validate_event(bar(payload={"symbol": "K\x00O"}))


def test_quarantine_takes_any_bytes_and_any_reason(hosts):
    (log,) = hosts(1)
    log.quarantine(b"\x00\xff", code="E", reason="a\x00b")
    assert log.quarantined()[0]["raw"] == b"\x00\xff"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # pytest has threads by now
def test_a_log_from_before_a_fork_says_so(hosts):
    (log,) = hosts(1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            log.append_rows(rows("child"))
        except StoreUnavailable as error:
            os.write(write, error.next_step.encode())
        log.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"open the event log again in this process"
    assert log.append_rows(rows("parent")) == 1


def test_microseconds_survive(hosts, bar):
    (log,) = hosts(1)
    moment = datetime(1960, 2, 29, 1, 2, 3, 456789, tzinfo=UTC)
    log.append([validate_event(bar(ts_event=moment))])
    assert log.read_columns(Topic.BAR)["ts_event"].to_pylist() == [moment]
