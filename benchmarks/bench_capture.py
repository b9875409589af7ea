"""Durable capture of events, against bare sqlite3 writing the same rows with the same durability.

Both sides use WAL and ``synchronous=FULL``, the same columns, the unique index on ``event_id`` and the
index by type and time. The bare side neither validates nor quarantines; it serialises the event with ``json``.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks._harness import Row, compare
from ordinis_learn.capture import EventRecorder, SqliteEventLog

BATCH = 1000
START = datetime(2020, 1, 2, 21, 0, tzinfo=UTC)
TABLE = """CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, event_type TEXT NOT NULL,
    ts_event TEXT NOT NULL, ts_ingest TEXT NOT NULL, partition_key TEXT NOT NULL, correlation_id TEXT NOT NULL,
    envelope TEXT NOT NULL, payload TEXT NOT NULL)"""
INSERT = """INSERT INTO events
    (event_id, event_type, ts_event, ts_ingest, partition_key, correlation_id, envelope, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"""


def run(*, quick):
    singles, many = (signals(n) for n in ((300, 5_000) if quick else (1_000, 50_000)))
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    try:
        yield _row("capture, one durable event at a time", singles, folder, batch=1, runs=3 if quick else 5)
        yield _row(f"capture, batches of {BATCH:,}", many, folder, batch=BATCH, runs=3 if quick else 5)
    finally:
        shutil.rmtree(folder)


def _row(work, events, folder, *, batch, runs) -> Row:
    def ours(_):
        log = SqliteEventLog(_fresh(folder, "ours"), clock=lambda: START)
        recorder = EventRecorder(log)

        def work():
            if batch == 1:
                for event in events:
                    recorder.record_event(event)
            else:
                receipt = recorder.record_events(events, batch_size=batch)
                assert receipt.accepted == len(events)
            log.close()

        return work

    def bare(_):
        connection = sqlite3.connect(_fresh(folder, "bare"), isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(TABLE)
        connection.execute("CREATE INDEX by_type_and_time ON events (event_type, ts_event)")

        def work():
            for first in range(0, len(events), batch):
                rows = [_values(event) for event in events[first : first + batch]]
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(INSERT, rows)
                connection.execute("COMMIT")
            connection.close()

        return work

    return compare(
        work,
        ours=ours,
        reference_name="bare sqlite3, WAL, synchronous=FULL, not validated",
        reference=bare,
        runs=runs,
        units=len(events),
    )


def _values(event):
    return (
        event["event_id"],
        event["event_type"],
        event["ts_event"],
        event["ts_ingest"],
        event["partition_key"],
        event["correlation_id"],
        json.dumps({key: value for key, value in event.items() if key != "payload"}),
        json.dumps(event["payload"]),
    )


def _fresh(folder, name):
    for path in folder.glob(f"{name}.db*"):
        path.unlink()
    return folder / f"{name}.db"


def signals(count):
    """Signals as an engine would report them, with twelve features each."""
    rng = np.random.default_rng(7)
    names = [f"feature_{n}" for n in range(12)]
    values, confidence = rng.standard_normal((count, 12)), rng.random(count)
    return [
        {
            "event_id": f"evt-{rng.integers(1 << 62):016x}-{n}",
            "event_type": "ordinis.signals.generated",
            "schema_version": "1.0.0",
            "ts_event": (moment := START + timedelta(minutes=n)).isoformat(),
            "ts_ingest": moment.isoformat(),
            "source": "sig",
            "correlation_id": f"corr-{n}",
            "partition_key": f"SYM{n % 20}",
            "payload": {
                "signal_id": f"sig-{n}",
                "symbol": f"SYM{n % 20}",
                "direction": "LONG",
                "confidence": float(confidence[n]),
                "horizon": "5d",
                "model_id": "rule",
                "strategy_id": "momentum",
                "feature_version": "close_v1",
                "metadata": {"features": dict(zip(names, values[n].tolist(), strict=True))},
            },
            "tags": {"instrument_type": "equity", "venue": "XNYS", "jurisdiction": "US", "env": "bench"},
        }
        for n in range(count)
    ]
