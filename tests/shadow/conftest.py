"""A log with feature events, staged models in folders, and a runner over them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ordinis_learn.capture import EventRecorder, SqliteEventLog
from ordinis_learn.capture.columns import to_microseconds
from ordinis_learn.market import PriceHistory
from ordinis_learn.records import ModelRef
from ordinis_learn.shadow.feed import FeatureFeed
from ordinis_learn.shadow.isolated import IsolatedModel
from ordinis_learn.shadow.outcomes import Outcomes
from ordinis_learn.shadow.runner import ShadowRunner
from ordinis_learn.shadow.store import ShadowIdentity, ShadowStore
from ordinis_learn.testing import InProcessModel, StagedModel, daily_calendar
from ordinis_learn.testing.staged_model import CUES, STAGED_LOADER, load_staged

FIRST = date(2024, 1, 1)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
TAGS = {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"}
SUBJECT = ModelRef(name="sp500_signal", version="2", artifact_sha256="a" * 64)
ACTIVE = ModelRef(name="sp500_signal", version="1", artifact_sha256="b" * 64)


def close_of(day: int) -> datetime:
    return datetime.combine(FIRST, datetime.min.time(), tzinfo=UTC) + timedelta(days=day, hours=21)


def event(day, symbol="AAA", *, cue="answer", value=None, at=None, key="", **features):
    """Make a feature event of one session and symbol; ``cue`` is what a staged model does with it."""
    moment = (at or close_of(day)).isoformat()
    known = {
        "ret_20": np.sin(day + 10 * SYMBOLS.index(symbol)) if value is None else value,
        "vol_20": 0.2,
        "cue": CUES[cue],
    } | features
    return {
        "event_id": f"feature-{day}-{symbol}{key}",
        "event_type": "ordinis.features.vector.computed",
        "schema_version": "1.0.0",
        "ts_event": moment,
        "ts_ingest": moment,
        "source": "test",
        "correlation_id": "c-1",
        "partition_key": symbol,
        "tags": TAGS,
        "payload": {
            "symbol": symbol,
            "tf": "1d",
            "feature_version": "close_v1",
            "features": {name: number for name, number in known.items() if number is not None},
        },
    }


def day_events(day, **changes):
    return [event(day, symbol, **changes) for symbol in SYMBOLS]


class DatedIncumbents:
    """Versions by the day from which they were active; folders of staged models."""

    def __init__(self, folders: dict[str, Path], *, since: dict[int, str | None]):
        self.folders = folders
        self.since = {to_microseconds(close_of(day)): version for day, version in since.items()}

    def versions(self, ts_ingest):
        return [self._at(int(moment)) for moment in ts_ingest]

    def _at(self, moment):
        begun = [since for since in self.since if since <= moment]
        return self.since[max(begun)] if begun else None

    def folder(self, version):
        return self.folders[version]


class Desk:
    """One home: a log, a recorder, staged bundles, and a way to open a runner over them."""

    def __init__(self, home: Path):
        self.home = home
        self.now = NOW
        self.log = SqliteEventLog(home / "events.db", clock=self.clock)
        self.recorder = EventRecorder(self.log, enabled=True)
        self.bundles = {"2": home / "candidate", "1": home / "active", "3": home / "later"}
        if not self.bundles["2"].exists():
            StagedModel().save(self.bundles["2"])
            StagedModel(sign=-1, feature_names=("ret_20", "vol_20", "calm")).save(self.bundles["1"])
            StagedModel(feature_names=("ret_20", "calm")).save(self.bundles["3"])
        self.path = home / "shadow" / "sp500_signal" / "2.db"
        self.since: dict[int, str | None] = {0: "1"}
        self.isolated = False
        self.limit = 60.0

    def clock(self):
        return self.now

    def record(self, events):
        return self.recorder.record_events([self._calm(one) for one in events])

    def _calm(self, one):
        """Give the other models a cue of their own that never makes them fail."""
        features = one["payload"]["features"]
        return one | {"payload": one["payload"] | {"features": {"calm": 0.0} | features}}

    def store(self):
        identity = ShadowIdentity(
            name=SUBJECT.name,
            version=SUBJECT.version,
            artifact_sha256=SUBJECT.artifact_sha256,
            source="features",
            log=self.log.identity(),
        )
        return ShadowStore(self.path, identity=identity)

    def model(self, folder):
        if not self.isolated:
            return InProcessModel(folder, load=load_staged)
        return IsolatedModel(folder, limit_seconds=self.limit, loader=STAGED_LOADER)

    def runner(self, store, **changes):
        incumbents = DatedIncumbents(self.bundles, since=self.since)
        settings = {
            "store": store,
            "candidate": self.bundles["2"],
            "incumbents": incumbents,
            "open_model": self.model,
            "clock": self.clock,
        }
        return ShadowRunner(FeatureFeed(self.log, source="features"), **(settings | changes))

    def run(self, **changes):
        """Catch up with the log in a runner of its own; return everything that is kept."""
        until = changes.pop("until", None)
        with self.store() as store:
            runner = self.runner(store, **changes)
            try:
                for _ in runner.catch_up(until=until):
                    pass
            finally:
                runner.close()
            return store.columns()

    def kept(self):
        with ShadowStore(self.path) as store:
            return store.columns()


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.log.close()


def make_outcomes(days, *, seed=0, symbols=SYMBOLS):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (days, len(symbols))), axis=0))
    sessions = np.datetime64(FIRST) + np.arange(days)
    history = PriceHistory(sessions=sessions, symbols=symbols, close=close, index_close=close.mean(axis=1))
    return Outcomes.of(history, calendar=daily_calendar(FIRST, days=days))


@pytest.fixture(scope="session")
def kit():
    """What the tests of this folder share; a conftest cannot be imported."""
    return SimpleNamespace(
        ACTIVE=ACTIVE,
        Desk=Desk,
        FIRST=FIRST,
        NOW=NOW,
        SUBJECT=SUBJECT,
        SYMBOLS=SYMBOLS,
        close_of=close_of,
        day_events=day_events,
        event=event,
        make_outcomes=make_outcomes,
    )
