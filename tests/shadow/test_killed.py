"""kill -9 at every statement, and a disk that is full: nothing lost, nothing doubled, the next run catches up."""

import itertools
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ordinis_learn.errors import StoreUnavailable

DAYS = 3


def in_a_child(work):
    """Run something in a process of its own; return its status, a signal as a negative number."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001  nothing of a child may reach the test runner
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def score_and_die(kit, home, *, step, among=""):
    """Run a runner over the whole log that is killed before its ``step``-th statement (of those with a text)."""

    def work():
        desk = kit.Desk(home)
        count = itertools.count(1)

        def tick(statement):
            if among in statement and next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        with desk.store() as store:
            store._connection.set_trace_callback(tick)
            runner = desk.runner(store, chunk=7)
            for _ in runner.catch_up():
                pass
            runner.close()

    return in_a_child(work)


@pytest.mark.parametrize("statement", ["UPDATE progress", "INSERT INTO scored", "COMMIT"])
def test_killed_within_a_transaction_the_next_run_begins_with_it(tmp_path, kit, statement):
    desk = kit.Desk(tmp_path)
    for day in range(DAYS):
        desk.record(kit.day_events(day))
    desk.run(until=6)
    desk.log.close()
    assert score_and_die(kit, tmp_path, step=2, among=statement) == -signal.SIGKILL
    after = kit.Desk(tmp_path)
    between = after.kept()["position"].tolist()
    assert 6 <= len(between) < 18
    assert between == list(range(1, len(between) + 1))
    assert after.run()["position"].tolist() == list(range(1, 19))
    after.log.close()


@pytest.mark.slow
def test_killed_at_every_statement_nothing_is_lost_or_doubled(tmp_path, kit):
    desk = kit.Desk(tmp_path)
    for day in range(DAYS):
        desk.record(kit.day_events(day))
    expected = [
        f"feature-{day}-{symbol}"
        for day in range(DAYS)
        for symbol in ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF"]
    ]
    whole = desk.run()
    assert whole["event_id"].tolist() == expected
    desk.log.close()
    steps = 0
    for step in itertools.count(1):
        for file in desk.path.parent.iterdir():
            file.unlink()
        status = score_and_die(kit, tmp_path, step=step)
        assert status in {0, -signal.SIGKILL}
        after = kit.Desk(tmp_path)
        kept = after.run()
        assert kept["event_id"].tolist() == expected
        for name in ("candidate_direction", "candidate_confidence", "active_direction", "active_version"):
            assert kept[name].tolist() == whole[name].tolist()
        after.log.close()
        if status == 0:
            break
        steps += 1
    assert steps >= 15  # three chunks: begin, move, insert, commit


def test_a_killed_runner_leaves_no_model_behind_not_even_a_hanging_one(tmp_path, kit):
    desk = kit.Desk(tmp_path)
    desk.record(kit.day_events(0, cue="hang"))
    desk.log.close()
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from conftest import Desk
desk = Desk(Path({str(tmp_path)!r}))
desk.isolated, desk.limit = True, 2.0
store = desk.store()
runner = desk.runner(store)
runner._candidate.start()
print(runner._candidate.pid, flush=True)
for _ in runner.catch_up():
    pass
"""
    runner = subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE, text=True)
    model = int(runner.stdout.readline())
    time.sleep(0.5)
    runner.kill()
    runner.communicate()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{model}").exists() and "Z" not in _state(model):
        assert time.monotonic() < deadline, "the model's process goes on"
        time.sleep(0.1)


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_full_disk_is_an_error_and_the_next_run_catches_up(tmp_path, kit):
    desk = kit.Desk(tmp_path)
    for day in range(60):
        desk.record(kit.day_events(day))
    desk.run(until=60)
    full = max(file.stat().st_size for file in desk.path.parent.iterdir()) + 16_384

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
        other = kit.Desk(tmp_path)
        try:
            other.run(chunk=60)
        except StoreUnavailable as error:
            os._exit(7 if "shadow predictions" in str(error) else 8)

    desk.log.close()
    assert in_a_child(work) == 7
    after = kit.Desk(tmp_path)
    assert 60 <= len(after.kept()["position"]) < 360
    kept = after.run()
    assert kept["position"].tolist() == list(range(1, 361))
    after.log.close()


@pytest.mark.parametrize("damage", [b"", b"not a database at all, but long enough to be looked at" * 40])
def test_a_damaged_file_is_named(tmp_path, damage):
    from ordinis_learn.errors import DataCorrupt
    from ordinis_learn.shadow.store import ShadowStore

    (tmp_path / "2.db").write_bytes(damage)
    with pytest.raises(DataCorrupt, match=r"2\.db"):
        ShadowStore(tmp_path / "2.db")
