"""Every session since the last check, in order, each exactly once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ordinis_learn.errors import ArtifactMissing
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training.processes import Process
from ordinis_learn.use_cases.drift import check_model_drift
from ordinis_learn.use_cases.drift_daily import DRIFT_JOB, run_daily_drift


def sessions_of(done):
    return [check.session for check in done if check.outcome == "checked"]


@pytest.mark.slow
def test_the_first_check_is_of_the_newest_session_and_each_later_one_of_what_came_since(
    bench, clock, captured, coming, record_until
):
    clock.to(captured)
    assert sessions_of(run_daily_drift(bench)) == [captured]
    assert sessions_of(run_daily_drift(bench)) == []
    record_until(coming[2], start=coming[0])
    clock.to(coming[1])
    assert sessions_of(run_daily_drift(bench)) == coming[:2]
    clock.to(coming[2])
    assert sessions_of(run_daily_drift(bench)) == [coming[2]]
    assert len(bench.catalogue.drift("desk_rule")) == 4
    assert bench.alerts.unlogged() == []
    assert bench.alerts.beats()[DRIFT_JOB].through == str(coming[2])


def test_a_misspelt_model_is_no_quiet_day(bench):
    with pytest.raises(ArtifactMissing, match="desk_ruel"):
        run_daily_drift(bench, name="desk_ruel")


def test_what_a_killed_process_left_running_is_ended_by_the_next_day(bench, tmp_path):
    here = Process.here()
    tracker = InMemoryTracker(tmp_path, process=replace(here, started="1"))
    left_open = tracker.start_run("drift desk_rule v1")
    run = left_open.__enter__()  # a killed process leaves nobody who would leave the block
    run_daily_drift(replace(bench, tracker=tracker))
    assert tracker.open_runs() == {}
    assert {one.status for one in tracker.runs if one.run_id == run.run_id} == {"KILLED"}


class Breaking:
    """A registry whose bytes of one version bring out a defect that nobody translated."""

    def __init__(self, registry, name):
        self._registry, self._name = registry, name

    def __getattr__(self, attribute):
        return getattr(self._registry, attribute)

    def local_path(self, name, version):
        if name == self._name:
            raise np.linalg.LinAlgError("a defect of this test")
        return self._registry.local_path(name, version)


@pytest.mark.slow
def test_a_defect_in_one_version_s_check_leaves_the_others_checked_and_is_told(
    engine, bench, clock, captured
):
    from .conftest import promote

    promote(engine, engine.train({"name": "a_rule", "model": "rule"}))
    clock.to(captured)
    broken = replace(bench, registry=Breaking(bench.registry, "a_rule"))
    done = {check.model: check for check in run_daily_drift(broken)}
    assert (done["a_rule"].outcome, done["desk_rule"].outcome) == ("failed", "checked")
    assert done["a_rule"].said == "LinAlgError: a defect of this test"
    (alert,) = bench.alerts.alerts("a_rule")
    assert (alert.kind, "LinAlgError" in alert.summary) == ("check_failed", True)
    beat = bench.alerts.beats()[DRIFT_JOB]
    assert (beat.at, beat.ok_at) == (clock(), None)
    run_daily_drift(bench)
    assert bench.alerts.alerts("a_rule") == []


@pytest.mark.slow
def test_a_check_by_hand_of_a_day_s_window_is_not_that_day_s_check(bench, clock, captured, sessions):
    clock.to(captured)
    place = sessions.index(captured)
    window = {"start": sessions[place - 9], "end": captured, "dataset": "core"}
    by_hand = check_model_drift(bench, "desk_rule", **window)
    assert bench.alerts.last_session("desk_rule", "1") is None
    clock.advance(minutes=1)
    assert sessions_of(run_daily_drift(bench)) == [captured]
    assert bench.alerts.last_session("desk_rule", "1") == captured
    assert sessions_of(run_daily_drift(bench)) == []
    assert check_model_drift(bench, "desk_rule", **window) == by_hand


@pytest.mark.slow
def test_a_failed_check_stays_told_until_one_has_succeeded(bench, clock, captured, coming, record_until):
    clock.to(captured)
    run_daily_drift(bench)
    record_until(coming[0], start=coming[0])
    clock.to(coming[0])
    run_daily_drift(replace(bench, registry=Breaking(bench.registry, "desk_rule")))
    assert [alert.kind for alert in bench.alerts.alerts("desk_rule")] == ["check_failed"]
    clock.to(captured, hour=23)  # nothing is due: nothing has succeeded
    assert [check.outcome for check in run_daily_drift(bench)] == ["nothing"]
    assert [alert.kind for alert in bench.alerts.alerts("desk_rule")] == ["check_failed"]
    clock.to(coming[0])
    run_daily_drift(bench)
    assert bench.alerts.alerts("desk_rule") == []
