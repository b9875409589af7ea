"""When the daily work is due, what is wrong when nothing happens, and who may watch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.records import Heartbeat
from ordinis_learn.settings import load_settings
from ordinis_learn.testing.alert_book import InMemoryAlertBook
from ordinis_learn.testing.catalogue import InMemoryCatalogue
from ordinis_learn.use_cases.alert_check import see_dead_man
from ordinis_learn.use_cases.drift_daily import DRIFT_JOB
from ordinis_learn.use_cases.watch import WATCH_JOB, due_session, only_watch, watch, watch_once


@pytest.fixture
def bench(clock, tmp_path):
    return SimpleNamespace(
        alerts=InMemoryAlertBook(clock=clock),
        catalogue=InMemoryCatalogue(clock=clock),
        registry=SimpleNamespace(standings=dict),
        settings=load_settings(home=tmp_path, actor="monitor", learn_watch_poll_s=0.01),
        clock=clock,
    )


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def beat(bench, moment, *, ok=True):
    bench.alerts.beat(Heartbeat(job=DRIFT_JOB, at=moment, ok_at=moment if ok else None))


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-01-05 21:29", date(2026, 1, 2)),  # Monday's close is at 21:00, and thirty minutes are waited
        ("2026-01-05 21:31", date(2026, 1, 5)),
        ("2026-01-19 23:00", date(2026, 1, 16)),  # Martin Luther King's day
        ("2026-01-18 12:00", date(2026, 1, 16)),  # a Sunday
        ("2025-11-28 18:31", date(2025, 11, 28)),  # the half day after Thanksgiving
    ],
)
def test_the_newest_session_that_closed_long_enough_ago_is_due(bench, clock, now, due):
    clock.now = at(now)
    assert due_session(bench) == due


def test_a_session_s_work_is_due_once_and_after_a_failure_again_in_an_hour(bench, clock):
    clock.now = at("2026-01-05 22:00")
    beat(bench, clock())
    assert due_session(bench) is None
    clock.advance(days=1)
    assert due_session(bench) == date(2026, 1, 6)
    beat(bench, clock(), ok=False)
    clock.advance(minutes=59)
    assert due_session(bench) is None
    clock.advance(minutes=1)
    assert due_session(bench) == date(2026, 1, 6)


def test_a_clock_that_jumped_ahead_and_came_back_is_asked_anew(bench, clock):
    clock.now = at("2026-03-02 22:00")
    beat(bench, clock())
    clock.now = at("2026-01-05 22:00")
    assert due_session(bench) == date(2026, 1, 5)
    assert "future" in see_dead_man(bench)
    (alert,) = bench.alerts.alerts()
    assert (alert.kind, alert.severity, alert.repeats) == ("missed_schedule", "critical", 1)
    see_dead_man(bench)
    assert bench.alerts.alerts()[0].repeats == 1
    beat(bench, clock())
    see_dead_man(bench)
    assert bench.alerts.alerts() == []


def test_the_dead_man_s_switch_speaks_two_hours_after_a_check_was_due_and_again_after_the_next(bench, clock):
    beat(bench, clock())
    clock.now = at("2026-01-06 23:29")
    see_dead_man(bench)
    assert bench.alerts.alerts() == []
    clock.advance(minutes=1)
    for _ in range(3):
        see_dead_man(bench)
    (alert,) = bench.alerts.alerts()
    assert (alert.repeats, alert.summary) == (
        1,
        "no drift check of 2026-01-06, due 2026-01-06 21:30Z; the last one ended 2026-01-05 22:00Z",
    )
    clock.advance(hours=24)
    see_dead_man(bench)
    assert bench.alerts.alerts()[0].repeats == 2
    beat(bench, clock())
    see_dead_man(bench)
    assert bench.alerts.alerts() == []


@pytest.mark.parametrize(
    ("ended", "quiet_until"),
    [
        ("2026-01-09 21:40", "2026-01-12 23:29"),  # from Friday to Monday
        ("2026-01-16 21:40", "2026-01-20 23:29"),  # and Martin Luther King's day
        ("2025-11-26 21:40", "2025-11-28 20:29"),  # Thanksgiving, and the half day after it
    ],
)
def test_no_alarm_where_no_session_s_check_was_due(bench, clock, ended, quiet_until):
    beat(bench, at(ended))
    end = clock.now = at(ended)
    while end < at(quiet_until):
        end = clock.now = min(end + timedelta(hours=5), at(quiet_until))
        assert "a drift check ended" in see_dead_man(bench)
    assert bench.alerts.alerts() == []
    clock.advance(minutes=1)
    see_dead_man(bench)
    assert [alert.kind for alert in bench.alerts.alerts()] == ["missed_schedule"]


@pytest.mark.parametrize("days", [1, 20, 300, 4000])
def test_a_clock_that_jumps_ahead_is_not_silent(bench, clock, days):
    beat(bench, clock())
    clock.advance(days=days, hours=3)
    see_dead_man(bench)
    assert [alert.kind for alert in bench.alerts.alerts()] == ["missed_schedule"]


def test_without_a_calendar_the_hours_on_the_wall_count(bench, clock):
    bench.settings = bench.settings.model_copy(update={"learn_watch_calendar": "NOWHERE"})
    beat(bench, clock())
    clock.advance(hours=25, minutes=59)
    see_dead_man(bench)
    assert bench.alerts.alerts() == []
    clock.advance(minutes=1)
    assert "no drift check in 26 h, and no calendar says when one is due" in see_dead_man(bench)
    assert [alert.kind for alert in bench.alerts.alerts()] == ["missed_schedule"]


def test_a_desk_with_nothing_active_misses_nothing(bench):
    assert "nothing is active" in see_dead_man(bench)
    assert bench.alerts.alerts() == []


def test_two_on_one_home_and_the_lock_goes_with_the_process(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom ordinis_learn.use_cases.watch import only_watch\n"
        "with only_watch(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    other = subprocess.Popen([sys.executable, "-I", "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(StoreUnavailable, match=f"process {other.pid} does it already"),
            only_watch(tmp_path),
        ):
            pass
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with only_watch(tmp_path):
        assert (tmp_path / "data" / "watch.lock").read_text() == str(os.getpid())


def test_a_database_that_is_away_ends_no_watch(bench):
    stop, told = threading.Event(), []

    class Away(InMemoryAlertBook):
        def beats(self):
            if len(told) == 2:
                stop.set()
            raise StoreUnavailable("read", found="locked", next_step="wait")

    bench.alerts = Away(clock=bench.clock)
    assert watch(bench, open_bus=None, stop=stop, tell=told.append) == 3
    assert all("locked" in line for line in told)


def test_the_grace_that_the_switch_gives_is_what_the_policy_s_hours_have_beyond_a_day(bench, clock):
    folder = bench.settings.home / "policies"
    folder.mkdir()
    from importlib import resources

    packaged = (resources.files("ordinis_learn.alerts") / "policies" / "response_v1.yaml").read_text()
    own = packaged.replace("response_v1", "response_own").replace("dead_man_hours: 26", "dead_man_hours: 30")
    (folder / "response_own.yaml").write_text(own)
    bench.settings = bench.settings.model_copy(update={"learn_response_policy": "response_own"})
    beat(bench, clock())
    clock.now = at("2026-01-07 03:29")
    assert "a drift check ended" in see_dead_man(bench)
    clock.advance(minutes=1)
    assert "no drift check of 2026-01-06" in see_dead_man(bench)


def test_a_defect_in_one_duty_does_not_silence_the_others(bench, clock):
    clock.now = at("2026-01-05 22:00")
    beat(bench, clock() - timedelta(days=4))
    bench.settings = bench.settings.model_copy(update={"learn_bus_url": "nats://127.0.0.1:1"})
    report = watch_once(
        bench, open_bus=None, daily=False
    )  # nothing that opens a bus: a defect, no trouble of the world
    assert report.failed == ("outbox",)
    assert any(line.startswith("dead-man's switch: no drift check of 2026-01-02") for line in report.lines)
    assert bench.alerts.beats()[WATCH_JOB].said == "failed: outbox"
