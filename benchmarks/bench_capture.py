"""Durable capture of events, against bare sqlite3 writing the same rows with the same durability.

Both sides use WAL and ``synchronous=FULL``, the same columns, the unique index on ``event_id`` and the
index by type and time. The bare side neither validates nor quarantines. Where both get JSON lines, it reads
them with ``json`` to fill the columns; where it gets rows, it has nothing to do but insert them.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks._harness import Row, compare
from ordinis_learn.capture import EventRecorder, SqliteEventLog

BATCH = 1000
THREADS = 64
START = datetime(2020, 1, 2, 21, 0, tzinfo=UTC)
TABLE = """CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, event_type TEXT NOT NULL,
    ts_event INTEGER NOT NULL, ts_ingest INTEGER NOT NULL, partition_key TEXT NOT NULL,
    correlation_id TEXT NOT NULL, envelope TEXT NOT NULL, payload TEXT NOT NULL)"""
INSERT = """INSERT INTO events
    (event_id, event_type, ts_event, ts_ingest, partition_key, correlation_id, envelope, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"""


def run(*, quick):
    singles, many = (signals(n) for n in ((300, 5_000) if quick else (2_000, 50_000)))
    lines = [json.dumps(event).encode() for event in many]
    runs = 3 if quick else 7
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    try:
        yield _one_by_one(singles, folder, runs=runs)
        yield _batches(lines, folder, runs=runs, ready=False)
        yield _batches(lines, folder, runs=runs, ready=True)
        yield _many_threads(lines[: len(singles) * 2], folder, runs=runs)
    finally:
        shutil.rmtree(folder)


def _one_by_one(events, folder, *, runs) -> Row:
    def ours(_):
        log, recorder = _recorder(folder)

        def work():
            for event in events:
                recorder.record_event(event)
            log.close()

        return work

    def bare(_):
        connection = _bare(folder)

        def work():
            for event in events:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(INSERT, _values(event))
                connection.execute("COMMIT")
            connection.close()

        return work

    return compare(
        "capture, one durable event at a time, validated",
        ours=ours,
        reference_name="bare sqlite3, WAL, synchronous=FULL, not validated",
        reference=bare,
        runs=runs,
        units=len(events),
    )


def _batches(lines, folder, *, runs, ready) -> Row:
    rows = [_values(json.loads(line)) for line in lines] if ready else None

    def ours(_):
        log, recorder = _recorder(folder)

        def work():
            receipt = recorder.record_events(lines, batch_size=BATCH)
            assert receipt.accepted == len(lines)
            log.close()

        return work

    def bare(_):
        connection = _bare(folder)

        def work():
            for first in range(0, len(lines), BATCH):
                part = slice(first, first + BATCH)
                values = rows[part] if ready else [_values(json.loads(line)) for line in lines[part]]
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(INSERT, values)
                connection.execute("COMMIT")
            connection.close()

        return work

    given = "rows made before" if ready else "the same lines"
    return compare(
        f"capture, batches of {BATCH:,} JSON lines, validated",
        ours=ours,
        reference_name=f"bare sqlite3 executemany, {given}, not validated",
        reference=bare,
        runs=runs,
        units=len(lines),
    )


def _many_threads(lines, folder, *, runs) -> Row:
    def with_threads(threads):
        def prepare(_):
            log, recorder = _recorder(folder)
            pool = ThreadPoolExecutor(threads)
            list(pool.map(int, range(threads)))

            def work():
                for _ in pool.map(lambda n: _each(recorder, lines[n::threads]), range(threads)):
                    pass
                pool.shutdown()
                log.close()

            return work

        return prepare

    return compare(
        f"capture, {THREADS} producer threads, one durable event per call",
        ours=with_threads(THREADS),
        reference_name="one thread",
        reference=with_threads(1),
        runs=runs,
        units=len(lines),
    )


def _each(recorder, lines):
    for line in lines:
        recorder.record_event(line)


def _recorder(folder):
    log = SqliteEventLog(_fresh(folder, "ours"), clock=lambda: START)
    return log, EventRecorder(log)


def _bare(folder):
    connection = sqlite3.connect(_fresh(folder, "bare"), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(TABLE)
    connection.execute("CREATE INDEX by_type_and_time ON events (event_type, ts_event)")
    return connection


def _values(event):
    return (
        event["event_id"],
        event["event_type"],
        _microseconds(event["ts_event"]),
        _microseconds(event["ts_ingest"]),
        event["partition_key"],
        event["correlation_id"],
        json.dumps({key: value for key, value in event.items() if key != "payload"}),
        json.dumps(event["payload"]),
    )


def _microseconds(text):
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


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
