"""What the world does to a monitor: nothing is lost, nothing doubled, and the next run makes up for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace

import pytest
import sqlalchemy as sa

from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.market import replay
from ordinis_learn.market.limits import DeskParameters
from ordinis_learn.market.simulate import simulate_history
from ordinis_learn.records import Actor, AlertChanges
from ordinis_learn.use_cases.drift_daily import run_daily_drift
from ordinis_registry import GovernanceDatabase, SqlAlertBook

MODEL = "desk_rule"


def runs_of(bench):
    """The finished runs of drift checks, by their window."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{bench.settings.database_path}")
    experiment = client.get_experiment_by_name("ordinis-learn")
    found = client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")
    return [run.data.tags["ordinis.drift_window"] for run in found if "ordinis.drift_window" in run.data.tags]


class Dies:
    """Passes everything on, and kills the process where it is asked for one thing."""

    def __init__(self, behind, at):
        self._behind, self._at = behind, at

    def __getattr__(self, name):
        if name == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
        return getattr(self._behind, name)


def die(bench, point, work):
    """Do some work in a process that is killed at a point of it."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore

    bench.alerts._database.engine.dispose()
    pid = os.fork()
    if pid == 0:
        try:
            from ordinis_learn.wiring import open_workbench

            SqlAlchemyStore._engine_map.clear()  # a forked process must not use its parent's connections
            TrackingStore._engine_map.clear()
            own = open_workbench(bench.settings)
            book = SqlAlertBook(own.alerts._database, clock=bench.clock)
            part = "tracker" if point == "start_run" else "alerts"
            parts = {"alerts": book, "tracker": own.tracker}
            parts[part] = Dies(parts[part], point)
            work(replace(own, clock=bench.clock, **parts))
            os._exit(0)
        except BaseException:  # noqa: BLE001  nothing of a child may reach the test runner
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("point", ["add_check", "start_run", "mark_logged", "beat"])
def test_killed_between_two_steps_of_a_daily_check(bench, clock, captured, point):
    clock.to(captured)
    die(bench, point, run_daily_drift)
    run_daily_drift(bench)
    assert len(bench.catalogue.drift(MODEL)) == 1
    assert bench.alerts.last_session(MODEL, "1") == captured
    assert bench.alerts.unlogged() == []
    assert len(runs_of(bench)) == 1
    assert bench.ledger.verify() == []


@pytest.mark.slow
def test_empty_days_are_an_alert_once_there_are_more_than_usual_and_what_comes_late_is_checked(
    bench, clock, captured, coming, record_until
):
    clock.to(captured)
    run_daily_drift(bench)
    clock.to(coming[0])
    (nothing,) = run_daily_drift(bench)
    assert nothing.outcome == "nothing"
    (alert,) = bench.alerts.alerts(MODEL)
    assert (alert.kind, "1 closed sessions" in alert.summary) == ("no_signals", True)
    clock.to(coming[1])
    run_daily_drift(bench)
    assert bench.alerts.alerts(MODEL)[0].repeats == 2
    record_until(coming[1], start=coming[0])
    done = run_daily_drift(bench)
    assert [check.session for check in done] == coming[:2]
    assert bench.alerts.alerts(MODEL) == []


@pytest.mark.slow
def test_a_clock_set_back_repeats_nothing_and_one_set_forward_loses_nothing(
    bench, clock, captured, coming, record_until
):
    clock.to(captured)
    run_daily_drift(bench)
    clock.advance(days=-30)
    assert [check.outcome for check in run_daily_drift(bench)] == ["nothing"]
    clock.advance(days=365)
    run_daily_drift(bench)
    record_until(coming[0], start=coming[0])
    clock.to(coming[0])
    assert [check.session for check in run_daily_drift(bench)] == [coming[0]]
    assert len(bench.catalogue.drift(MODEL)) == 2


@pytest.mark.slow
def test_features_that_vanish_or_stand_still_are_alerts_and_no_failure(bench, clock, captured, coming):
    """One of each in the same sessions, as many as the window holds."""
    bench = replace(bench, settings=bench.settings.model_copy(update={"learn_drift_window_sessions": 5}))

    def told():
        history = simulate_history(sessions=620, symbols=4, seed=5, first_session=simulated_start())
        desk = DeskParameters(cadence_sessions=1)
        for event in replay(history, seed=5, desk=desk, start=coming[0], end=coming[4]):
            yield changed(event)

    def changed(event):
        text = json.loads(json.dumps(event))
        features = text["payload"].get("metadata", {}).get("features")
        if features and "vol_ratio" in features:
            del features["vol_ratio"]
            features["z_20"] = 1.0
        return text

    clock.to(captured)
    run_daily_drift(bench)
    bench.recorder.record_events(told())
    clock.to(coming[4])
    done = run_daily_drift(bench)
    assert [check.outcome for check in done] == ["checked"] * 5
    about = {(name, alert.metric) for alert in bench.alerts.alerts(MODEL) for name in alert.features}
    assert {("vol_ratio", "missing_rate"), ("z_20", "constant")} <= about


def simulated_start():
    from datetime import date

    return date(2020, 1, 2)


@pytest.mark.slow
def test_rows_that_are_gone_are_an_alert_and_their_session_is_checked_when_they_are_back(
    bench, clock, captured, coming, record_until
):
    clock.to(captured)
    run_daily_drift(bench)
    away = bench.settings.home / "away"
    shutil.move(bench.settings.datasets_dir, away)
    record_until(coming[0], start=coming[0])
    clock.to(coming[0])
    (failed,) = run_daily_drift(bench)
    assert (failed.outcome, failed.session) == ("failed", coming[0])
    assert [alert.kind for alert in bench.alerts.alerts(MODEL)] == ["check_failed"]
    assert bench.alerts.last_session(MODEL, "1") == captured
    shutil.move(away, bench.settings.datasets_dir)
    assert [check.session for check in run_daily_drift(bench)] == [coming[0]]
    assert bench.alerts.alerts(MODEL) == []


@pytest.fixture
def book(tmp_path, clock):
    database = GovernanceDatabase(f"sqlite:///{tmp_path / 'ordinis.db'}")
    database.upgrade()
    yield SqlAlertBook(database, clock=clock)
    database.close()


def see(book, context, source):
    from ordinis_learn.alerts import Sighting, raise_alert

    seen = Sighting(kind="flat", subject="m", severity="critical", summary="x" * 3000, source=source)

    def plan(standing) -> AlertChanges:
        return raise_alert(standing, seen, context=context())

    book.change("m", plan, actor=Actor(name="monitor", kind="claimed"))


def fill(book, context):
    for number in range(1, 200):
        see(book, context, f"s{number}")


def test_a_full_disk_writes_nothing_and_the_next_time_everything(book, context):
    see(book, context, "s0")
    with book._database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="full"):
        fill(book, context)
    written = len(book.facts(book.alerts()[0].alert_id)) - 1
    assert book.alerts()[0].repeats == written + 1
    with book._database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    see(book, context, f"s{written + 1}")
    assert book.alerts()[0].repeats == written + 2


def test_a_locked_registry_is_an_error_that_says_so_and_nothing_is_lost(book, context):
    see(book, context, "s0")
    with book._database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    other = sa.create_engine(book._database.url)
    with other.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            see(book, context, "s1")
        holder.exec_driver_sql("ROLLBACK")
    other.dispose()
    see(book, context, "s1")
    assert book.alerts()[0].repeats == 2
