"""Shadow scoring in a process of its own, against the booster asked directly in this one.

One row is what a live event costs; the reference has no limit of time, no isolation, no judgement of the answer and no
forecast turned into a direction. A catch-up reads events from the log, asks candidate and active model, and keeps both answers
durably; its reference is one batch call of each over rows that are in memory already.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import xgboost as xgb  # noqa: TID253  what is compared with

from benchmarks._harness import Row, compare
from ordinis_learn.capture import EventRecorder, SqliteEventLog
from ordinis_learn.models._xgboost import XGBoostParameters, XGBoostSignalModel
from ordinis_learn.shadow.feed import FeatureFeed
from ordinis_learn.shadow.isolated import IsolatedModel
from ordinis_learn.shadow.runner import ShadowRunner
from ordinis_learn.shadow.store import ShadowIdentity, ShadowStore

NAMES = tuple(f"feature_{number}" for number in range(12))
NOW = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS = 20


def run(*, quick):
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    try:
        booster, model = _model(folder / "bundle")
        yield _one_row(booster, folder / "bundle", calls=200 if quick else 1000, runs=5 if quick else 15)
        yield _catch_up(model, folder, sessions=50 if quick else 500, runs=2 if quick else 5)
    finally:
        shutil.rmtree(folder)


def _model(folder):
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(5000, len(NAMES)))
    booster = xgb.train(
        {"max_depth": 4, "nthread": 1, "seed": 7},
        xgb.DMatrix(rows, rows[:, 0] * 0.01 + rng.normal(0, 0.02, 5000)),
        num_boost_round=200,
    )
    parameters = XGBoostParameters(min_edge_bps=12.0, scale=0.01)
    model = XGBoostSignalModel(booster, feature_names=NAMES, horizon_sessions=5, parameters=parameters)
    model.save(folder)
    return booster, model


def _one_row(booster, bundle, *, calls, runs) -> Row:
    rows = np.random.default_rng(3).normal(size=(calls, 1, len(NAMES)))
    with IsolatedModel(bundle, limit_seconds=5.0) as model:

        def isolated(_):
            return lambda: [model.ask(row) for row in rows]

        def bare(_):
            return lambda: [booster.inplace_predict(row) for row in rows]

        return compare(
            "shadow scoring of one row, in a process of its own",
            ours=isolated,
            reference_name="bare `Booster.inplace_predict`, one thread",
            reference=bare,
            runs=runs,
            units=calls,
        )


def _catch_up(model, folder, *, sessions, runs) -> Row:
    log = SqliteEventLog(folder / "events.db", clock=lambda: NOW)
    rows = np.random.default_rng(4).normal(size=(sessions, SYMBOLS, len(NAMES)))
    EventRecorder(log, enabled=True).record_events(_events(rows))

    def ours(number):
        identity = ShadowIdentity(name="m", version="2", artifact_sha256="a" * 64, source="features", log="")
        store = ShadowStore(folder / f"{number}.db", identity=identity)
        runner = ShadowRunner(
            FeatureFeed(log, source="features"),
            store=store,
            candidate=folder / "bundle",
            incumbents=_Same(folder / "bundle"),
            open_model=lambda path: IsolatedModel(path, limit_seconds=5.0),
            clock=lambda: NOW,
        )
        runner._candidate.start()
        runner._incumbent("1")

        def work():
            for _ in runner.catch_up():
                pass
            runner.close()
            store.close()

        return work

    def batch(_):
        together = rows.reshape(-1, len(NAMES))
        return lambda: (model.predict(together), model.predict(together))

    found = compare(
        "shadow catch-up from the log, both models, durable",
        ours=ours,
        reference_name="two batch predictions of the rows in memory",
        reference=batch,
        runs=runs,
        units=sessions * SYMBOLS,
    )
    log.close()
    return found


class _Same:
    def __init__(self, bundle):
        self._bundle = bundle

    def versions(self, ts_ingest):
        return ["1"] * len(ts_ingest)

    def folder(self, _version):
        return self._bundle


def _events(rows):
    tags = {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"}
    for session, symbols in enumerate(rows):
        moment = (NOW + timedelta(days=session)).isoformat()
        for symbol, values in enumerate(symbols.tolist()):
            yield {
                "event_id": f"{session}-{symbol}",
                "event_type": "ordinis.features.vector.computed",
                "schema_version": "1.0.0",
                "ts_event": moment,
                "ts_ingest": moment,
                "source": "bench",
                "correlation_id": "c",
                "partition_key": f"S{symbol}",
                "tags": tags,
                "payload": {
                    "symbol": f"S{symbol}",
                    "tf": "1d",
                    "feature_version": "v1",
                    "features": dict(zip(NAMES, values, strict=True)),
                },
            }
