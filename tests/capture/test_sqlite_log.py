"""What only a file can get wrong: crashes, other processes, other programs' files, folders one may not write to."""

import shutil
import signal as signals
import sqlite3
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.capture import SqliteEventLog, validate_event
from ordinis_learn.errors import DataCorrupt, StoreUnavailable
from ordinis_learn.ports import EventRow
from ordinis_learn.records import Topic

WRITER = textwrap.dedent(
    """
    import os, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from ordinis_learn.capture import SqliteEventLog
    from ordinis_learn.errors import LearnError
    from ordinis_learn.records import Envelope, Topic

    def clock():
        return datetime(2024, 1, 1, tzinfo=UTC)

    def batch(start, stop):
        return [
            Envelope(event_id=f"e-{n}", event_type=Topic.BAR, ts_event=clock(), ts_ingest=clock(), source="child",
                     correlation_id="c", partition_key="KO", payload={"n": n}, tags={})
            for n in range(start, stop)
        ]
    """
)


def child(body, *arguments):
    """Start a Python process that has the writer's names."""
    return subprocess.Popen(
        [sys.executable, "-I", "-c", WRITER + textwrap.dedent(body), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_events_are_there_after_reopening(tmp_path, bar, clock):
    path = tmp_path / "events.db"
    log = SqliteEventLog(path, clock=clock)
    log.append([validate_event(bar())])
    log.quarantine(b"bad", code="E", reason="r")
    log.close()
    again = SqliteEventLog(path, clock=clock)
    assert again.append([validate_event(bar())]) == 0
    assert again.scan(Topic.BAR).num_rows == 1
    assert again.quarantined()[0]["raw"] == b"bad"
    again.close()


def test_the_file_is_synced_at_each_commit(tmp_path, clock):
    log = SqliteEventLog(tmp_path / "events.db", clock=clock)
    assert log._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert log._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    log.close()


def test_a_batch_is_one_transaction(tmp_path, bar, clock):
    log = SqliteEventLog(tmp_path / "events.db", clock=clock)
    statements = []
    log._connection.set_trace_callback(statements.append)
    log.append([validate_event(bar(f"bar-{n}")) for n in range(3)])
    assert [statement.split()[0] for statement in statements] == [
        "BEGIN",
        *["INSERT"] * 6,
        "COMMIT",
    ]
    log.close()


def test_two_processes_create_and_write_at_once(tmp_path, clock):
    path = tmp_path / "events.db"
    body = """
        path, start, stop = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
        sys.stdin.readline()
        log = SqliteEventLog(path, clock=clock)
        print(sum(log.append(batch(n, n + 20)) for n in range(start, stop, 20)), flush=True)
        log.close()
    """
    writers = [child(body, path, 0, 1000), child(body, path, 500, 1500)]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    stored = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    log = SqliteEventLog(path, clock=clock)
    assert sum(stored) == 1500
    assert sorted(log.scan(Topic.BAR)["event_id"].to_pylist()) == sorted(f"e-{n}" for n in range(1500))
    assert min(stored) >= 500
    log.close()


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path, clock):
    path = tmp_path / "events.db"
    body = """
        log = SqliteEventLog(Path(sys.argv[1]), clock=clock)
        n = 0
        while True:
            log.append(batch(n, n + 10))
            n += 10
            print(n, flush=True)
    """
    writer = child(body, path)
    acknowledged = [int(writer.stdout.readline()) for _ in range(30)][-1]
    writer.send_signal(signals.SIGKILL)
    rest = writer.communicate(timeout=60)[0].split()
    acknowledged = max([acknowledged, *(int(line) for line in rest)])
    log = SqliteEventLog(path, clock=clock)
    stored = set(log.scan(Topic.BAR)["event_id"].to_pylist())
    assert stored >= {f"e-{n}" for n in range(acknowledged)}
    assert len(stored) % 10 == 0
    assert log.append([]) == 0
    log.close()


@pytest.fixture
def open_folder():
    """A folder that any user may enter; pytest's own folders are private."""
    folder = Path(mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("exists", [True, False], ids=["with a log in it", "empty"])
def test_a_read_only_folder_says_what_to_type(open_folder, bar, clock, exists):
    path = open_folder / "events.db"
    if exists:
        log = SqliteEventLog(path, clock=clock)
        log.append([validate_event(bar())])
        log.close()
    open_folder.chmod(0o555)
    body = """
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            log = SqliteEventLog(Path(sys.argv[1]), clock=clock)
            log.append(batch(0, 1))
        except LearnError as error:
            print(error.code, error.next_step)
    """
    code, next_step = child(body, path).communicate(timeout=60)[0].strip().split(" ", 1)
    assert code == "E_LEARN_STORE_UNAVAILABLE"
    assert str(open_folder) in next_step
    assert "ORDINIS_HOME" in next_step
    open_folder.chmod(0o755)
    if exists:
        log = SqliteEventLog(path, clock=clock)
        assert log.scan(Topic.BAR).num_rows == 1
        log.close()


def test_a_folder_that_is_a_file(tmp_path, clock):
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(StoreUnavailable) as caught:
        SqliteEventLog(tmp_path / "data" / "events.db", clock=clock)
    assert caught.value.retryable
    with pytest.raises(StoreUnavailable):
        SqliteEventLog(tmp_path, clock=clock)


def test_a_file_that_is_no_database_is_left_alone(tmp_path, clock):
    path = tmp_path / "events.db"
    path.write_bytes(b"half a shopping list" * 100)
    with pytest.raises(DataCorrupt) as caught:
        SqliteEventLog(path, clock=clock)
    assert str(path) in caught.value.next_step
    assert path.read_bytes() == b"half a shopping list" * 100


def test_another_programs_database_is_left_alone(tmp_path, clock):
    path = tmp_path / "events.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE experiments (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(DataCorrupt):
        SqliteEventLog(path, clock=clock)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path, clock):
    path = tmp_path / "events.db"
    SqliteEventLog(path, clock=clock).close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(StoreUnavailable) as caught:
        SqliteEventLog(path, clock=clock)
    assert "upgrade" in caught.value.next_step


def test_damaged_pages_are_reported_and_not_read_as_events(tmp_path, bar, clock):
    path = tmp_path / "events.db"
    log = SqliteEventLog(path, clock=clock)
    log.append([validate_event(bar(f"bar-{n}")) for n in range(500)])
    log.close()
    raw = bytearray(path.read_bytes())
    raw[8192:] = b"\xa5" * (len(raw) - 8192)
    path.write_bytes(raw)
    log = SqliteEventLog(path, clock=clock)
    with pytest.raises(DataCorrupt):
        log.scan(Topic.BAR)
    log.close()


def test_a_lock_held_elsewhere_is_retryable_and_stores_nothing(tmp_path, bar, clock):
    path = tmp_path / "events.db"
    log = SqliteEventLog(path, clock=clock)
    log._connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable) as caught:
        log.append([validate_event(bar())])
    assert caught.value.retryable
    assert log.position() == 0
    other.execute("ROLLBACK")
    other.close()
    assert log.append([validate_event(bar())]) == 1
    log.close()


def test_readers_do_not_wait_for_a_writer(tmp_path, bar, clock):
    path = tmp_path / "events.db"
    log = SqliteEventLog(path, clock=clock)
    log.append([validate_event(bar())])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM events")
    assert log.scan(Topic.BAR).num_rows == 1
    other.execute("ROLLBACK")
    other.close()
    log.close()


def test_a_log_whose_file_was_removed_is_not_read_as_empty(tmp_path, bar, clock):
    path = tmp_path / "events.db"
    log = SqliteEventLog(path, clock=clock)
    log.append([validate_event(bar())])
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(StoreUnavailable):
        log.scan(Topic.BAR)
    assert not path.exists()
    log.close()


def test_a_path_with_odd_characters(tmp_path, bar, clock):
    path = tmp_path / "50% off? #1 é" / "events.db"
    log = SqliteEventLog(path, clock=clock)
    log.append([validate_event(bar())])
    assert log.scan(Topic.BAR).num_rows == 1
    log.close()
    assert path.is_file()


def test_a_closed_log_says_so(tmp_path, bar, clock):
    log = SqliteEventLog(tmp_path / "events.db", clock=clock)
    log.close()
    with pytest.raises(StoreUnavailable):
        log.append([validate_event(bar())])
    with pytest.raises(StoreUnavailable):
        log.position()


def test_the_rest_of_the_envelope_is_kept(tmp_path, bar, clock):
    log = SqliteEventLog(tmp_path / "events.db", clock=clock)
    log.append([validate_event(bar(schema_version="1.9.0", trace_id="t-1") | {"shard": 7})])
    ((text,),) = log._connection.execute("SELECT envelope FROM events").fetchall()
    assert '"trace_id":"t-1"' in text
    assert '"shard":7' in text
    assert '"venue":"sim"' in text
    log.close()


IDS = st.sampled_from(["", "a", "A", "a\0", "a\0b", "é", "e\u0301", "\U0001f600"])


@settings(max_examples=20, deadline=None)
@given(batches=st.lists(st.lists(IDS, max_size=9), max_size=5))
def test_of_each_id_the_first_row_is_stored_whatever_it_is_made_of(batches):
    with TemporaryDirectory() as folder:
        log = SqliteEventLog(Path(folder) / "events.db", clock=lambda: datetime(2024, 1, 2, tzinfo=UTC))
        kept = {}
        for number, ids in enumerate(batches):
            rows = [
                EventRow(one, Topic.BAR.value, 0, 0, f"{number}-{place}", "c", "{}", "{}")
                for place, one in enumerate(ids)
            ]
            known = len(kept)
            for row in rows:
                kept.setdefault(row.event_id, row.partition_key)
            assert log.append_rows(rows) == len(kept) - known
        found = log._rows("SELECT event_id, partition_key FROM events ORDER BY position")
        assert found == list(kept.items())
        log.close()
