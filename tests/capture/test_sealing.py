"""Sealing moves events, it never changes what readers see."""

import os
import resource
import shutil
import signal as signals
import subprocess
import sys
import textwrap
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.capture import (
    PAYLOAD_COLUMNS,
    Sealer,
    SqliteEventLog,
    bucket_of,
    open_event_log,
    validate_event,
)
from ordinis_learn.capture.sealed import sealed_schema
from ordinis_learn.errors import ConfigInvalid, DataCorrupt, StoreUnavailable
from ordinis_learn.records import Topic, file_sha256
from ordinis_learn.testing import InMemoryEventLog, InMemorySegmentCatalogue

TODAY = datetime(2024, 2, 1, 12, tzinfo=UTC)
FIRST = datetime(2024, 1, 2, 21, tzinfo=UTC)


def today():
    return TODAY


class Desk:
    """A log, its catalogue and its sealer in a folder; reopened as after a crash."""

    def __init__(self, folder, *, buckets=3, catalogue=None, url=None):
        self.folder, self.url = folder, url
        self.log = open_event_log(url, path=folder / "events.db", sealed=folder / "events", clock=today)
        self.catalogue = catalogue if catalogue is not None else InMemorySegmentCatalogue()
        self.sealer = Sealer(self.log, self.catalogue, root=folder / "events", buckets=buckets, clock=today)

    def seal(self, **kwargs):
        return list(self.sealer.seal(**kwargs))

    def reopened(self, **kwargs):
        self.log.close()
        return self.beside(**kwargs)

    def beside(self, **kwargs):
        """Open the same log once more."""
        return Desk(self.folder, catalogue=self.catalogue, url=self.url, **kwargs)

    def hot(self):
        return self.log._rows("SELECT count(*) FROM events")[0][0]

    def files(self):
        return sorted(path for path in (self.folder / "events").rglob("*") if path.is_file())


@pytest.fixture(params=["sqlite", "postgres"])
def desk(request, tmp_path):
    made = Desk(tmp_path, url=request.getfixturevalue("postgres") if request.param == "postgres" else None)
    yield made
    made.log.close()


# What does not differ between the two databases in kind: on PostgreSQL only with the slow tests.
postgres_slowly = pytest.mark.parametrize(
    "desk", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True
)


@pytest.fixture
def day_of_events(bar, signal):
    """Bars and signals of several symbols over some days, three of each a day."""

    def make(days=3, *, prefix="e"):
        found = []
        for day in range(days):
            for number in range(3):
                at = {
                    "ts_event": FIRST + timedelta(days=day, minutes=number),
                    "partition_key": f"SYM{number}",
                }
                found.append(bar(f"{prefix}-bar-{day}-{number}", payload={"close": 1.0 + number}) | at)
                found.append(signal(f"{prefix}-sig-{day}-{number}") | at)
        return [validate_event(event) for event in found]

    return make


def seen(log):
    """Everything a reader can learn from a log."""
    return {
        "events": {topic: log.scan(topic).to_pylist() for topic in (Topic.BAR, Topic.SIGNAL)},
        "columns": {topic: log.read_columns(topic).to_pylist() for topic in (Topic.BAR, Topic.SIGNAL)},
        "part": log.read_columns(Topic.BAR, bucket=(1, 2)).to_pylist(),
        "counts": dict(log.counts()),
        "tally": dict(log.tally().counts),
        "envelopes": log.envelopes(Topic.SIGNAL, limit=5),
        "position": log.position(),
    }


def test_readers_see_no_difference(desk, day_of_events):
    desk.log.append(day_of_events())
    before = seen(desk.log)
    sealed = desk.seal()
    assert seen(desk.log) == before
    assert desk.hot() == 0
    assert sum(one.rows for _, segments in sealed for one in segments) == 18
    assert list(desk.sealer.verify()) == []
    assert desk.seal() == []


def test_only_closed_days_are_sealed(desk, day_of_events, bar):
    desk.log.append([*day_of_events(2), validate_event(bar("now", ts_event=TODAY))])
    assert {day.day for day in desk.sealer.plan()} == {date(2024, 1, 2), date(2024, 1, 3)}
    desk.seal(before=date(2024, 1, 3))
    assert desk.hot() == 7
    desk.seal()
    assert desk.hot() == 1
    with pytest.raises(ConfigInvalid):
        desk.seal(before=date(2024, 2, 2))


@postgres_slowly
def test_a_file_holds_whole_events_in_order_and_their_columns(desk, signal):
    event = validate_event(signal() | {"schema_version": "1.4.0", "shard": 7})
    desk.log.append([event])
    ((_, [segment]),) = desk.seal()
    file = desk.folder / "events" / segment.path
    assert segment.path == (
        "event_type=ordinis.signals.generated/date=2024-01-02/"
        f"bucket={bucket_of('KO', buckets=3)}-of-3/part-0001.parquet"
    )
    assert segment.sha256 == file_sha256(file)
    assert segment.bytes == file.stat().st_size
    (row,) = pq.ParquetFile(file).read().to_pylist()
    assert pq.read_schema(file).equals(sealed_schema(Topic.SIGNAL))
    assert row["payload"] == event.payload_json
    assert '"shard":7' in row["envelope"]
    assert row["features"] == [("z_20", 0.25)]
    assert (segment.first, segment.last, segment.rows) == (event.ts_event, event.ts_event, 1)


def test_an_event_that_was_sealed_is_not_stored_again(desk, day_of_events, bar):
    events = day_of_events()
    desk.log.append(events)
    desk.seal()
    assert desk.log.append(events) == 0
    assert desk.log.append([validate_event(bar("e-bar-0-0", ts_event=TODAY, payload={"close": 9.0}))]) == 0
    assert desk.log.append(day_of_events(1, prefix="late")) == 6


def test_late_events_are_sealed_beside_the_others(desk, day_of_events):
    desk.log.append(day_of_events())
    desk.seal()
    old = {path: path.read_bytes() for path in desk.files()}
    desk.log.append(day_of_events(1, prefix="late"))
    before = seen(desk.log)
    sealed = desk.seal()
    assert {one.generation for _, segments in sealed for one in segments} == {2}
    assert seen(desk.log) == before
    assert desk.hot() == 0
    assert all(path.read_bytes() == raw for path, raw in old.items())


@postgres_slowly
def test_another_number_of_buckets_from_now_on(desk, day_of_events):
    desk.log.append(day_of_events(1))
    desk.seal()
    later = desk.reopened(buckets=4)
    later.log.append(day_of_events(3, prefix="more"))
    later.seal()
    whole = later.log.read_columns(Topic.BAR).to_pylist()
    for buckets in (1, 2, 3, 4, 5, 6):
        parts = [
            row
            for n in range(buckets)
            for row in later.log.read_columns(Topic.BAR, bucket=(n, buckets)).to_pylist()
        ]
        assert sorted(parts, key=lambda row: (row["ts_event"], row["event_id"])) == whole
    later.log.close()


def test_between_switch_and_purge_each_event_is_seen_once(desk, day_of_events, monkeypatch):
    desk.log.append(day_of_events())
    before = seen(desk.log)
    monkeypatch.setattr(desk.log, "purge", lambda: 0)
    desk.seal()
    assert desk.hot() == 18
    assert seen(desk.log) == before
    assert desk.log.append(day_of_events()) == 0
    monkeypatch.undo()
    assert desk.log.purge() == 18
    assert seen(desk.log) == before


@st.composite
def histories(draw):
    """Batches of (id, minute of ten days, symbol), with sealings between."""
    event = st.tuples(st.integers(0, 25), st.integers(-2, 10 * 24), st.sampled_from("ABCD"))
    return draw(st.lists(st.lists(event, max_size=6) | st.integers(1, 11), max_size=8))


@settings(max_examples=15, deadline=None)
@given(history=histories(), buckets=st.integers(1, 3))
def test_a_log_that_is_sealed_now_and_then_reads_like_one_that_never_is(history, buckets):
    from ordinis_learn.ports import EventRow

    with TemporaryDirectory() as folder:
        desk, never = Desk(Path(folder), buckets=buckets), InMemoryEventLog(clock=today)
        tally = None
        for step in history:
            if isinstance(step, int):
                desk.seal(before=date(1970, 1, step))
                continue
            rows = [
                EventRow(f"e-{n}", Topic.BAR.value, hour * 3_600_000_000, 0, key, "c", "{}", PAYLOAD % key)
                for n, hour, key in step
            ]
            assert desk.log.append_rows(rows) == never.append_rows(rows)
            tally = desk.log.tally(tally)
            assert (tally.counts, tally.position) == (never.counts(), desk.log.position())
        bounds = {"start": datetime(1970, 1, 3, 5, tzinfo=UTC), "end": datetime(1970, 1, 8, tzinfo=UTC)}
        for more in ({}, bounds):
            mine, other = (log.scan(Topic.BAR, **more).drop_columns("position") for log in (desk.log, never))
            assert mine.to_pylist() == other.to_pylist()
            for bucket in (None, (0, 2), (1, 2)):
                mine, other = (
                    log.read_columns(Topic.BAR, bucket=bucket, **more).drop_columns("position")
                    for log in (desk.log, never)
                )
                assert mine.equals(other)
        assert dict(desk.log.counts()) == dict(never.counts())
        assert list(desk.sealer.verify()) == []
        desk.log.close()


PAYLOAD = '{"symbol":"%s","tf":"1d","ts":"1970-01-01T00:00:00Z","session":"1970-01-01","close":1.5}'


@postgres_slowly
def test_a_position_pins_what_was_known_also_after_sealing(desk, day_of_events):
    desk.log.append(day_of_events(2))
    position = desk.log.position()
    known = desk.log.read_columns(Topic.BAR, until_position=position - 1).to_pylist()
    desk.log.append(day_of_events(2, prefix="late"))
    desk.seal()
    assert desk.log.read_columns(Topic.BAR, until_position=position - 1).to_pylist() == known
    later = desk.log.read_columns(Topic.BAR, after_position=position - 1).to_pylist()
    assert later
    assert min(row["position"] for row in later) >= position
    both = sorted(known + later, key=lambda row: (row["ts_event"], row["event_id"]))
    assert both == desk.log.read_columns(Topic.BAR).to_pylist()


class Killed(BaseException):
    """Stands in for SIGKILL where a whole process is too slow."""


def steps(desk, monkeypatch, *, kill_at):
    """Count every durable step of a sealing, and stop at one of them."""
    taken = []

    def stepping(function):
        def step(*args, **kwargs):
            if len(taken) == kill_at:
                raise Killed
            taken.append(function.__name__)
            return function(*args, **kwargs)

        return step

    monkeypatch.setattr(os, "fsync", stepping(os.fsync))
    monkeypatch.setattr(Path, "replace", stepping(Path.replace))
    monkeypatch.setattr(desk.catalogue, "add_segments", stepping(desk.catalogue.add_segments))
    monkeypatch.setattr(desk.log, "_write", stepping(desk.log._write))
    return taken


def stopped_and_sealed_again(folder, events, monkeypatch, *, kill_at):
    """Stop a sealing at a step, open again and seal; return (before, between, after, hashes)."""
    desk = Desk(folder)
    desk.log.append(events)
    found = [seen(desk.log)]
    with monkeypatch.context() as patch:
        steps(desk, patch, kill_at=kill_at)
        with pytest.raises(Killed):
            desk.seal()
    desk = desk.reopened()
    found.append(seen(desk.log))
    desk.seal()
    found.append(seen(desk.log))
    hashes = {one.path: one.sha256 for one in desk.log.segments()}
    assert list(desk.sealer.verify()) == []
    assert desk.hot() == 0
    assert len([file for file in desk.files() if not file.name.startswith(".")]) == len(hashes)
    assert {file.name for file in desk.files() if file.name.startswith(".")} == {".sealing", ".log"}
    desk.log.close()
    return (*found, hashes)


def all_steps(folder, events, monkeypatch):
    """Seal undisturbed; return the steps taken and the hashes of the files."""
    whole = Desk(folder)
    whole.log.append(events)
    with monkeypatch.context() as patch:
        taken = steps(whole, patch, kill_at=None)
        whole.seal()
    hashes = {one.path: one.sha256 for one in whole.log.segments()}
    whole.log.close()
    assert {"fsync", "replace", "add_segments", "_write"} <= set(taken)
    return taken, hashes


def stopped_at(every, tmp_path, events, monkeypatch):
    taken, hashes = all_steps(tmp_path / "whole", events, monkeypatch)
    for kill_at in range(0, len(taken), every):
        before, between, after, found = stopped_and_sealed_again(
            tmp_path / str(kill_at), events, monkeypatch, kill_at=kill_at
        )
        assert before == between == after, taken[kill_at]
        assert found == hashes, taken[kill_at]


def test_stopped_at_a_step_the_next_sealer_ends_with_the_same_content(tmp_path, day_of_events, monkeypatch):
    bars = [event for event in day_of_events(1) if event.event_type == Topic.BAR]
    stopped_at(8, tmp_path, bars, monkeypatch)


@pytest.mark.slow
def test_stopped_at_any_step_the_next_sealer_ends_with_the_same_content(tmp_path, day_of_events, monkeypatch):
    stopped_at(1, tmp_path, day_of_events(1), monkeypatch)


CHILD = textwrap.dedent(
    """
    import os, signal, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from ordinis_learn.capture import Sealer, SqliteEventLog
    from ordinis_registry import GovernanceDatabase, SqlSegmentCatalogue

    folder, kill_at = Path(sys.argv[1]), sys.argv[2]
    clock = lambda: datetime(2024, 2, 1, 12, tzinfo=UTC)
    log = SqliteEventLog(folder / "events.db", clock=clock)
    database = GovernanceDatabase(f"sqlite:///{folder}/ordinis.db")
    database.upgrade()
    catalogue = SqlSegmentCatalogue(database)
    taken = 0

    def stepping(function):
        def step(*args, **kwargs):
            global taken
            for moment in ("before", "after"):
                if kill_at in {str(taken), f"{moment} {function.__name__}"}:
                    os.kill(os.getpid(), signal.SIGKILL)
                taken += 1
                if moment == "before":
                    result = function(*args, **kwargs)
            return result
        return step

    os.fsync = stepping(os.fsync)
    Path.replace = stepping(Path.replace)
    catalogue.add_segments = stepping(catalogue.add_segments)
    log._write = stepping(log._write)
    print("ready", flush=True)
    sys.stdin.readline()
    sealer = Sealer(log, catalogue, root=folder / "events", buckets=3, clock=clock)
    sealed = list(sealer.seal())
    print("sealed", len(sealed), "faults", len(list(sealer.verify())), flush=True)
    """
)


def sealing_child(folder, *, kill_at):
    return subprocess.Popen(
        [sys.executable, "-I", "-c", CHILD, str(folder), str(kill_at)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_child(folder, *, kill_at="never"):
    child = sealing_child(folder, kill_at=kill_at)
    output, _ = child.communicate("go\n", timeout=60)
    return child.returncode, output.split("\n")[-2]


@pytest.fixture
def filled(tmp_path, day_of_events):
    """A folder with a log of one day, and what its readers see."""
    desk = Desk(tmp_path / "filled")
    desk.log.append(day_of_events(1))
    expected = seen(desk.log)
    desk.log.close()
    return desk.folder, expected


def killed_and_sealed_again(filled, tmp_path, *, kill_at):
    """Kill a sealer at a step, seal again in another process; return whether it was killed at all."""
    template, expected = filled
    folder = tmp_path / f"killed-{kill_at}"
    shutil.copytree(template, folder)
    code, _ = run_child(folder, kill_at=kill_at)
    log = SqliteEventLog(folder / "events.db", clock=today)
    assert seen(log) == expected
    assert code in {0, -signals.SIGKILL}
    second, output = run_child(folder)
    assert (second, output.split()[-1]) == (0, "0")
    assert seen(log) == expected
    assert log._rows("SELECT count(*) FROM events") == [(0,)]
    log.close()
    return code != 0


@pytest.mark.slow
def test_sigkill_between_catalogue_and_switch(filled, tmp_path):
    assert killed_and_sealed_again(filled, tmp_path, kill_at="after add_segments")


@pytest.mark.slow
def test_sigkill_at_steps_from_the_first_to_the_last(filled, tmp_path):
    """Every ninth step, until a sealer comes through; every step is stopped at in the test above."""
    step = 1
    while killed_and_sealed_again(filled, tmp_path, kill_at=step):
        step += 9
    assert step > 50


def test_a_full_disk_loses_nothing(tmp_path, day_of_events):
    desk = Desk(tmp_path)
    desk.log.append(day_of_events())
    before = seen(desk.log)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    desk.log.close()
    body = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
    script = CHILD.replace('print("ready", flush=True)', body).replace("sys.stdin.readline()\n", "")
    script = script.replace("sealed = list(sealer.seal())", FULL)
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(desk.folder), "never"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "StoreUnavailable" in done.stdout, done.stderr
    assert (soft, hard) == resource.getrlimit(resource.RLIMIT_FSIZE)
    again = Desk(desk.folder)
    assert seen(again.log) == before
    assert not [path for path in again.files() if path.suffix in {".parquet", ".unfinished"}]
    again.seal()
    assert seen(again.log) == before
    again.log.close()


FULL = textwrap.dedent(
    """
    try:
        sealed = list(sealer.seal())
    except Exception as error:
        print(type(error).__name__, error)
        sys.exit(3)
    """
).strip()


def test_two_sealers_at_once(desk, day_of_events):
    desk.log.append(day_of_events())
    other = desk.beside()
    before = seen(desk.log)
    work = desk.sealer.seal()
    next(work)
    with pytest.raises(StoreUnavailable) as caught:
        other.seal()
    assert caught.value.retryable
    list(work)
    assert other.seal() == []
    assert seen(other.log) == before
    other.log.close()


@postgres_slowly
def test_sealing_while_writers_write(desk, bar):
    stop = threading.Event()
    stored = []

    def write(thread):
        number = 0
        while not stop.is_set():
            at = FIRST + timedelta(days=number % 4)
            event = validate_event(bar(f"{thread}-{number}", ts_event=at, partition_key=f"SYM{number % 7}"))
            stored.append((desk.log.append([event]), desk.log.append([event])))
            number += 1

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    seen_before = set()
    for _ in range(6):
        ids = desk.log.scan(Topic.BAR)["event_id"].to_pylist()
        assert len(ids) == len(set(ids))
        assert seen_before <= set(ids)
        seen_before = set(ids)
        desk.seal()
    stop.set()
    for thread in threads:
        thread.join(20)
    desk.seal()
    assert set(stored) == {(1, 0)}
    assert desk.log.scan(Topic.BAR).num_rows == len(stored) == desk.log.counts()[Topic.BAR]
    assert desk.hot() == 0
    assert list(desk.sealer.verify()) == []


@postgres_slowly
def test_verify_names_every_file_that_is_not_what_was_sealed(desk, day_of_events):
    desk.log.append(day_of_events())
    desk.seal()
    changed, gone, unknown, *_ = (one.path for one in desk.log.segments())
    raw = bytearray((desk.folder / "events" / changed).read_bytes())
    raw[len(raw) // 2] ^= 1
    (desk.folder / "events" / changed).write_bytes(raw)
    (desk.folder / "events" / gone).unlink()
    del desk.catalogue._segments[unknown]
    faults = list(desk.sealer.verify())
    assert [fault.split(": ")[0] for fault in faults] == sorted([changed, gone, unknown])
    assert "not those that were sealed" in next(fault for fault in faults if fault.startswith(changed))


@postgres_slowly
def test_a_damaged_or_missing_file_is_an_error_and_not_less_data(desk, day_of_events):
    desk.log.append(day_of_events(1))
    desk.seal()
    path = (
        desk.folder / "events" / next(one.path for one in desk.log.segments() if one.event_type == Topic.BAR)
    )
    raw = path.read_bytes()
    damaged = bytearray(raw)
    damaged[40:80] = b"\x00" * 40
    path.write_bytes(damaged)
    with pytest.raises(DataCorrupt):
        desk.log.read_columns(Topic.BAR)
    path.unlink()
    with pytest.raises(DataCorrupt):
        desk.log.scan(Topic.BAR)
    path.write_bytes(raw)
    assert desk.log.scan(Topic.BAR).num_rows == 3


def test_the_folder_of_another_log_is_left_alone(tmp_path, day_of_events, postgres):
    desk = Desk(tmp_path)
    desk.log.append(day_of_events(1))
    desk.seal()
    files = {path: path.read_bytes() for path in desk.files()}
    other = Desk(tmp_path, catalogue=desk.catalogue, url=postgres)
    other.log.append(day_of_events(1, prefix="other"))
    before = seen(other.log)
    with pytest.raises(ConfigInvalid, match="another event log"):
        other.seal()
    assert seen(other.log) == before
    assert {path: path.read_bytes() for path in desk.files()} == files
    assert list(desk.sealer.verify()) == []
    for one in (desk, other):
        one.log.close()


def test_catalogues_of_two_logs_do_not_mix(tmp_path, day_of_events):
    first = Desk(tmp_path / "first")
    second = Desk(tmp_path / "second", catalogue=first.catalogue)
    for desk in (first, second):
        desk.log.append(day_of_events(1))
    expected = seen(second.log)
    first.seal()
    assert seen(second.log) == expected
    assert list(second.sealer.verify()) == []
    first.log.close()
    second.log.close()


def interrupted_before_the_switch(desk, events, monkeypatch):
    desk.log.append(events)
    with monkeypatch.context() as patch:
        patch.setattr(desk.log, "switch", killed)
        with pytest.raises(Killed):
            desk.seal()


def killed(_segments):
    raise Killed


@postgres_slowly
def test_files_that_were_lost_before_the_switch_are_written_again(desk, day_of_events, monkeypatch):
    interrupted_before_the_switch(desk, day_of_events(1), monkeypatch)
    expected = seen(desk.log)
    (lost, *_) = (one.path for one in desk.catalogue.segments())
    (desk.folder / "events" / lost).unlink()
    desk.seal()
    assert seen(desk.log) == expected
    assert desk.hot() == 0
    assert list(desk.sealer.verify()) == []


@pytest.mark.parametrize(
    "change",
    ["UPDATE events SET event_id = 'x' || event_id", "DELETE FROM events WHERE event_id = 'e-bar-0-0'"],
    ids=["other events under the same positions", "fewer events"],
)
@pytest.mark.parametrize("lost", [False, True], ids=["files whole", "a file lost"])
def test_a_log_that_contradicts_its_files_is_not_sealed(tmp_path, day_of_events, monkeypatch, change, lost):
    """As after the log was restored from an older backup: what only one of the two has must not go."""
    desk = Desk(tmp_path)
    interrupted_before_the_switch(desk, day_of_events(1), monkeypatch)
    desk.log._write(lambda connection: connection.execute(change))
    if lost:
        desk.log._write(
            lambda connection: connection.execute("DELETE FROM events WHERE event_id LIKE '%bar-0-1'")
        )
        (path, *_) = (one.path for one in desk.catalogue.segments())
        (desk.folder / "events" / path).unlink()
    before, files = seen(desk.log), desk.files()
    with pytest.raises(DataCorrupt, match="backup"):
        desk.seal()
    assert (seen(desk.log), desk.files()) == (before, files)
    desk.log.close()


def test_every_topic_can_be_sealed():
    for topic in Topic:
        assert sealed_schema(topic).names[-1] == PAYLOAD_COLUMNS[topic].names[-1]
        assert len(set(sealed_schema(topic).names)) == len(sealed_schema(topic).names)
