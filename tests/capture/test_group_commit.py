"""Threads share commits; each gets its own answer, or its own error."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.capture import SqliteEventLog, validate_event
from ordinis_learn.capture._group_commit import GroupCommit
from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.ports import EventRow
from ordinis_learn.records import Topic


class Store:
    """A list that commits whole groups, and holds the first commit until it is let go."""

    def __init__(self):
        self.groups = []
        self.entered, self.go = threading.Event(), threading.Event()

    def transact(self, works):
        self.entered.set()
        self.go.wait(10)
        results = [work(self) for work in works]
        self.groups.append(results)
        return results


def give(value):
    return lambda _store: value


def fail(error):
    def work(_store):
        raise error

    return work


def queue_up(commits, store, works):
    """Let one thread lead and hold; queue the others behind it; then let go. Return every outcome."""
    outcomes = {}

    def call(number, work):
        try:
            outcomes[number] = commits.run(work)
        except Exception as error:  # noqa: BLE001  whatever it is, it is looked at
            outcomes[number] = error

    threads = [threading.Thread(target=call, args=(-1, give("first")))]
    threads[0].start()
    assert store.entered.wait(10)
    for number, work in enumerate(works):
        threads.append(threading.Thread(target=call, args=(number, work)))
        threads[-1].start()
    while len(commits._waiting) < len(works):
        threading.Event().wait(0.001)
    store.go.set()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    return outcomes


def test_who_waits_shares_the_next_commit():
    store = Store()
    commits = GroupCommit(store.transact, is_common=lambda _: False)
    outcomes = queue_up(commits, store, [give(number) for number in range(20)])
    assert outcomes == {-1: "first"} | {number: number for number in range(20)}
    assert [len(group) for group in store.groups] == [1, 20]


def test_one_bad_call_does_not_fail_the_others():
    store = Store()
    commits = GroupCommit(store.transact, is_common=lambda _: False)
    bad = ValueError("mine")
    outcomes = queue_up(commits, store, [give(0), fail(bad), give(2)])
    assert outcomes == {-1: "first", 0: 0, 1: bad, 2: 2}


def test_an_error_of_the_store_is_not_waited_for_by_each_again():
    store, error = Store(), OSError("locked")
    tried = []
    commits = GroupCommit(store.transact, is_common=lambda found: found is error)

    def work(_store):
        tried.append(1)
        raise error

    outcomes = queue_up(commits, store, [work, work, work])
    assert [outcomes[number] for number in range(3)] == [error] * 3
    assert len(tried) == 1


def test_a_leader_that_is_interrupted_leaves_nobody_waiting():
    store = Store()
    commits = GroupCommit(store.transact, is_common=lambda _: False)
    store.go.set()
    with pytest.raises(KeyboardInterrupt):
        commits.run(fail(KeyboardInterrupt()))
    assert commits.run(give(1)) == 1


def test_a_follower_that_is_interrupted_hands_its_turn_on():
    commits = GroupCommit(lambda works: [work(None) for work in works], is_common=lambda _: False)
    left, stays = (commits_ticket(commits, number) for number in (1, 2))
    commits._led = True
    with commits._lock:
        commits._promote()
    assert left.promoted
    commits._leave(left)
    assert stays.promoted
    assert commits._is_promoted(stays)
    commits._lead()
    assert stays.done
    assert commits.run(give(3)) == 3


def commits_ticket(commits, number):
    from ordinis_learn.capture._group_commit import _Ticket

    ticket = _Ticket(give(number))
    commits._waiting.append(ticket)
    return ticket


def bare_row(event_id):
    return EventRow(event_id, Topic.BAR.value, 1, 1, "KO", "c", "{}", "{}")


@settings(max_examples=15, deadline=None)
@given(calls=st.lists(st.lists(st.integers(0, 40), max_size=6), min_size=1, max_size=24))
def test_concurrent_counts_add_up_to_what_is_stored(calls):
    with TemporaryDirectory() as folder:
        from pathlib import Path

        log = SqliteEventLog(Path(folder) / "events.db", clock=lambda: datetime(2024, 1, 1, tzinfo=UTC))
        batches = [[bare_row(f"e-{number}") for number in call] for call in calls]
        with ThreadPoolExecutor(8) as pool:
            counts = list(pool.map(log.append_rows, batches))
        distinct = {number for call in calls for number in call}
        assert sum(counts) == len(distinct) == sum(log.counts().values())
        assert all(count <= len(set(call)) for count, call in zip(counts, calls, strict=True))
        log.close()


def test_a_row_that_cannot_be_stored_fails_alone(tmp_path, clock):
    log = SqliteEventLog(tmp_path / "events.db", clock=clock)
    started = threading.Barrier(16)

    def call(number):
        started.wait(10)
        try:
            return log.append_rows([bare_row("\ud800" if number == 7 else f"e-{number}")])
        except UnicodeEncodeError:
            return "refused"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(call, range(16)))
    assert outcomes == [1] * 7 + ["refused"] + [1] * 8
    assert log.counts() == {Topic.BAR: 15}
    log.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # pytest has threads by now
def test_a_log_from_before_a_fork_says_so(tmp_path, bar, clock):
    log = SqliteEventLog(tmp_path / "events.db", clock=clock)
    log.append([validate_event(bar("before"))])
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        answers = []
        for call in (
            lambda: log.append([validate_event(bar("child"))]),
            log.position,
            lambda: log.scan(Topic.BAR),
        ):
            try:
                call()
                answers.append("stored")
            except StoreUnavailable as error:
                answers.append(error.next_step)
        log.close()
        os.write(write, "\n".join(answers).encode())
        os._exit(0)
    os.waitpid(child, 0)
    answers = os.read(read, 4096).decode().splitlines()
    assert answers == ["open the event log again in this process"] * 3
    assert log.append([validate_event(bar("after"))]) == 1
    log.close()


def test_a_file_of_schema_1_is_upgraded_and_used(tmp_path, bar, clock):
    import shutil
    import sqlite3
    from pathlib import Path

    path = tmp_path / "events.db"
    shutil.copyfile(Path(__file__).parent / "revisions" / "events-1.db", path)
    log = SqliteEventLog(path, clock=clock)
    assert log.counts() == {Topic.BAR: 6}
    assert log.position() == log.scan(Topic.BAR)["position"].to_numpy().max() == 6
    assert log.quarantined()[0]["raw"] == b"bad"
    assert log.append([validate_event(bar("bar-3")), validate_event(bar("new"))]) == 1
    assert log.position() > 6
    assert log.segments() == []
    log.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


def test_a_file_of_schema_2_keeps_its_sealed_ids_and_gives_no_position_twice(tmp_path, bar, clock):
    import shutil
    import sqlite3
    from pathlib import Path

    from ordinis_learn.capture import _sqlite_file

    path = tmp_path / "events.db"
    shutil.copyfile(Path(__file__).parent / "revisions" / "events-1.db", path)
    with sqlite3.connect(path) as old:
        for statement in _sqlite_file._SCHEMA_2:
            old.execute(statement)
        old.execute("INSERT INTO sealed_ids SELECT event_id FROM events")
        old.execute("DELETE FROM events WHERE position > 4")
        old.execute("DELETE FROM sealed_ids WHERE event_id IN (SELECT event_id FROM events)")
        sealed = [one for (one,) in old.execute("SELECT event_id FROM sealed_ids")]
        old.execute("PRAGMA user_version = 2")
    old.close()
    log = SqliteEventLog(path, clock=clock)
    assert len(sealed) == 2
    assert log.append([validate_event(bar(one)) for one in sealed]) == 0
    assert sorted(log.scan(Topic.BAR)["position"].to_pylist()) == [1, 2, 3, 4]
    assert log.append([validate_event(bar("new"))]) == 1
    assert log.position() == 7
    log.close()
