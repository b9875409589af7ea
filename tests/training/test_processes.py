import json
import os
import signal
import subprocess
import sys

import pytest

from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training.processes import Process
from ordinis_learn.use_cases.dead_runs import end_dead_runs

NAMES_ITSELF = """
import sys, time
from ordinis_learn.training.processes import Process
print(*Process.here().tags().values(), sep="\\n", flush=True)
time.sleep(600)
"""


@pytest.fixture
def another():
    """A process of this host, and how it names itself."""
    command = [sys.executable, "-Ic", NAMES_ITSELF]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline().strip() for _ in range(3)]
        yield process, Process(host=lines[0], pid=int(lines[1]), started=lines[2])
        process.kill()


def test_a_killed_process_is_gone_and_a_living_one_is_not(another):
    process, named = another
    here = Process.here()
    assert named.host == here.host
    assert not named.is_gone(seen_from=here.host)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    # Ended and not yet waited for: its number is still taken.
    assert named.is_gone(seen_from=here.host)
    process.wait()
    assert named.is_gone(seen_from=here.host)
    assert not named.is_gone(seen_from="another/host")


def test_a_number_that_was_given_again_is_another_process():
    here = Process.here()
    before = Process(host=here.host, pid=here.pid, started="1")
    assert before.is_gone(seen_from=here.host)


def test_a_number_that_no_system_gives_says_nothing():
    here = Process.here()
    odd = Process(host=here.host, pid=2**70, started="1")
    assert not odd.is_gone(seen_from=here.host)


CLAIMS = """
import json, time
from ordinis_learn.training.claims import Owner
print(json.dumps(Owner.here().to_json()), flush=True)
time.sleep(600)
"""
LOOKS = """
import json, sys
from ordinis_learn.training.claims import ClaimRules, Owner, Watch
watch = Watch(Owner.here(), rules=ClaimRules(), seconds=lambda: 0.0)
print(watch.stale(0, json.loads(sys.argv[1])))
"""
APART = ["unshare", "--pid", "--fork", "--kill-child"]
"""Begins a process with the number 1, as a container does."""


def test_what_one_container_works_on_is_not_taken_over_by_another_at_once():
    if subprocess.run([*APART, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no new space of process numbers may be made here")
    command = [*APART, sys.executable, "-Ic"]
    with subprocess.Popen([*command, CLAIMS], stdout=subprocess.PIPE, text=True) as process:
        claim = process.stdout.readline()
        looked = subprocess.run([*command, LOOKS, claim], check=True, capture_output=True, text=True)
        process.kill()
    assert json.loads(claim)["pid"] == 1
    assert looked.stdout.strip() == "False"


@pytest.mark.parametrize("tags", [{}, {"ordinis.process_pid": "7"}])
def test_tags_that_name_no_process(tags):
    assert Process.of_tags(tags) is None
    assert Process.of_tags(Process.here().tags() | {"ordinis.process_pid": "x"}) is None


def test_only_runs_of_dead_processes_of_this_host_are_ended(tmp_path, tracker):
    here = Process.here()
    gone = Process(host=here.host, pid=here.pid, started="1")
    elsewhere = Process(host="other", pid=here.pid, started="1")
    trackers = [InMemoryTracker(tmp_path, process=one) for one in (gone, elsewhere, here)]
    left_open = [one.start_run("left open") for one in trackers]
    for one, opened in zip(trackers, left_open, strict=True):
        opened.__enter__()
        tracker.runs += one.runs
    for number, run in enumerate(tracker.runs):
        run.run_id = f"r{number}"
    (ended,) = end_dead_runs(tracker)
    assert ended.run_id == "r0"
    assert [run.status for run in tracker.runs] == ["KILLED", "RUNNING", "RUNNING"]
    assert tracker.runs[0].tags["ordinis.error"] == ended.reason
    assert str(here.pid) in ended.reason
    assert end_dead_runs(tracker) == ()
