"""A small desk on simulated prices that signals every session, with two rules that may be promoted by a short policy."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from ordinis_learn import open_engine
from ordinis_learn.alerts import Context, load_response_policy
from ordinis_learn.labelling.calendar import load_calendar
from ordinis_learn.market import replay
from ordinis_learn.market.limits import DeskParameters
from ordinis_learn.market.simulate import simulate_history
from ordinis_learn.records import Actor, Role, State
from ordinis_learn.use_cases.approve import answer_request
from ordinis_learn.use_cases.sign import create_identity, reference
from ordinis_registry import SqlAlertBook

POLICY = """
schema_version: 1.0.0
policy_id: desk_v1
governs: {names: ["*"], model_types: [signal_model]}
packs: [bench_core_v1]
rules:
  signal_model:
    shadow:
      default: [artifact_intact, evidence_verified, no_drift_breach]
      first_model: [artifact_intact, evidence_verified, no_drift_breach]
    active:
      default: &approved [artifact_intact, evidence_verified, no_drift_breach, approvals: {count: 1, max_age_days: 30}]
      first_model: *approved
"""
SETTINGS = {
    "learn_min_samples": 100,
    "actor": "monitor",
    "gov_policy_version": "desk_v1",
    "learn_drift_dataset": "core",
    "learn_drift_window_sessions": 10,
}
MODEL = "desk_rule"


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def to(self, day, hour=22):
        self.now = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)

    def advance(self, **by):
        self.now += timedelta(**by)


@pytest.fixture
def clock():
    return Clock(datetime(2026, 1, 5, 22, tzinfo=UTC))


@pytest.fixture
def context(clock):
    """The default policy, now, in the monitor's name, with somebody to tell."""
    policy = load_response_policy()
    return lambda **changes: Context(
        **{"policy": policy, "now": clock(), "by": "monitor", "is_told": True} | changes
    )


def history():
    return simulate_history(sessions=620, symbols=4, seed=5, first_session=date(2020, 1, 2))


@pytest.fixture(scope="session")
def grown_home(tmp_path_factory):
    """A home that no test changes: events until the 580th session, a dataset of those from 257 to 520, a rule that is ACTIVE."""
    home = tmp_path_factory.mktemp("alerts")
    (home / "policies").mkdir()
    (home / "policies" / "desk_v1.yaml").write_text(POLICY)
    days = history().sessions
    with pytest.MonkeyPatch.context() as patch, open_engine(home=home, **SETTINGS) as engine:
        at_home(patch, home)
        bench = engine.workbench
        desk = DeskParameters(cadence_sessions=1)
        events = replay(history(), seed=5, desk=desk, start=_date(days[240]), end=_date(days[579]))
        bench.recorder.record_events(events)
        engine.build_dataset("core", {"start": str(_date(days[256])), "end": str(_date(days[519]))})
        create_identity(bench, "risk", roles=(Role.APPROVER,), actor=Actor(name="head", kind="claimed"))
        promote(engine, engine.train({"name": MODEL, "model": "rule"}))
    return home


def at_home(patch, home):
    """Let the registry's store, which reads the environment, find the policy."""
    patch.setenv("ORDINIS_HOME", str(home))
    patch.setenv("GOV_POLICY_VERSION", SETTINGS["gov_policy_version"])


def promote(engine, artifact):
    bench = engine.workbench
    bench.registry.transition(artifact.name, artifact.version, State.SHADOW)
    answer_request(
        bench, reference(artifact), target=State.ACTIVE, answer="approve", identity="risk", comment="x"
    )
    bench.registry.transition(artifact.name, artifact.version, State.ACTIVE)


def _date(day):
    return date.fromisoformat(str(day)[:10])


@pytest.fixture(scope="session")
def sessions():
    """The sessions of the simulated market that are sessions of the exchange, too."""
    days = [_date(day) for day in history().sessions]
    calendar = load_calendar("XNYS", start=days[0], end=days[-1])
    return [day for day in days if calendar.numbers_of(np.array([(day - date(1970, 1, 1)).days]))[0]]


@pytest.fixture
def home(grown_home, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "desk"
    shutil.copytree(grown_home, path)
    at_home(monkeypatch, path)
    return path


@pytest.fixture
def engine(home):
    with open_engine(home=home, **SETTINGS) as opened:
        yield opened


@pytest.fixture
def bench(engine, clock):
    """The workbench with the test's clock, in the alert book too."""
    return clocked(engine.workbench, clock)


def clocked(bench, clock):
    return replace(bench, clock=clock, alerts=SqlAlertBook(bench.alerts._database, clock=clock))


@pytest.fixture
def promoted(engine):
    """Train and promote one version more."""

    def make(**changes):
        artifact = engine.train({"name": MODEL, "model": "rule"} | changes)
        promote(engine, artifact)
        return artifact

    return make


@pytest.fixture
def record_until(engine):
    """Capture what the desk told until a session."""

    def record(day, *, start=None):
        events = replay(history(), seed=5, desk=DeskParameters(cadence_sessions=1), start=start, end=day)
        return engine.workbench.recorder.record_events(events)

    return record


@pytest.fixture(scope="session")
def captured(sessions):
    """The newest session that was captured."""
    return max(day for day in sessions if day <= _date(history().sessions[579]))


@pytest.fixture(scope="session")
def coming(sessions, captured):
    """The sessions after it, which are not captured yet."""
    return [day for day in sessions if day > captured]
