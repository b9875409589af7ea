"""Sealing a day of signals, against DuckDB's COPY of the same rows into the same Parquet layout.

Ours begins with the hot log in SQLite and ends with synced, hashed and catalogued files, the log switched and
the hot rows gone. The reference begins with the finished columns (typed ones too) in DuckDB's own storage and
ends with unsynced files of the same columns, partitioned by bucket, with the same codec.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from benchmarks._harness import compare
from benchmarks.bench_capture import START
from ordinis_learn.capture import Sealer, SqliteEventLog
from ordinis_learn.ports import EventRow
from ordinis_learn.testing import InMemorySegmentCatalogue

BUCKETS = 4
NOW = datetime(2020, 2, 1, tzinfo=UTC)
SHAPE = """{"signal_id": "VARCHAR", "symbol": "VARCHAR", "direction": "VARCHAR", "confidence": "DOUBLE",
    "horizon": "VARCHAR", "ttl_ms": "BIGINT", "model_id": "VARCHAR", "strategy_id": "VARCHAR",
    "feature_version": "VARCHAR", "metadata": {"features": "MAP(VARCHAR, DOUBLE)"}}"""
BARE = """COPY (SELECT * EXCLUDE (read), read.*, hash(partition_key) % {buckets} AS bucket
    FROM (SELECT *, from_json(payload, '{shape}') AS read FROM events) ORDER BY ts_event, event_id) TO '{folder}'
    (FORMAT parquet, PARTITION_BY (bucket), COMPRESSION zstd, COMPRESSION_LEVEL 1)"""
COPY = """COPY (SELECT * FROM events ORDER BY ts_event, event_id) TO '{folder}'
    (FORMAT parquet, PARTITION_BY (bucket), COMPRESSION zstd, COMPRESSION_LEVEL 1)"""


def run(*, quick):
    rows = 20_000 if quick else 300_000
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    try:
        template = folder / "template"
        _fill(template, rows)
        yield from _table(folder, template, rows=rows, runs=2 if quick else 3)
    finally:
        shutil.rmtree(folder)


def _table(folder, template, *, rows, runs):
    finished = folder / "finished"
    shutil.copytree(template, finished)
    list(_sealer(finished)[1].seal())
    database = folder / "columns.duckdb"
    with duckdb.connect(database) as connection:
        sealed = ds.dataset(finished / "events", exclude_invalid_files=True, partitioning="hive").to_table()
        connection.register("sealed", sealed)
        connection.execute("CREATE TABLE events AS SELECT * EXCLUDE (event_type, date) FROM sealed")

    def ours(number):
        copy = folder / f"ours-{number}"
        shutil.copytree(template, copy)
        log, sealer = _sealer(copy)

        def work():
            assert sum(one.rows for _, segments in sealer.seal() for one in segments) == rows
            log.close()

        return work

    def reference(number):
        connection = duckdb.connect(database, read_only=True)

        def work():
            connection.execute(COPY.format(folder=folder / f"copy-{number}"))
            connection.close()

        return work

    def from_hot(number):
        copy, target = folder / f"hot-{number}", folder / f"bare-{number}"
        shutil.copytree(template, copy)
        return lambda: _bare(copy / "events.db", target)

    what = f"seal {rows:,} hot signals of one day, 12 features"
    for name, other in (
        ("DuckDB COPY of the finished columns, same layout", reference),
        (
            "bare sqlite3, DuckDB's from_json and COPY, from the same hot rows; removed in one statement",
            from_hot,
        ),
    ):
        yield compare(what, ours=ours, reference_name=name, reference=other, runs=runs, units=rows)
        for one in [*folder.glob("ours-*"), *folder.glob("copy-*")]:
            shutil.rmtree(one)


def _bare(path, target):
    """What one would write by hand: fetch, parse, copy out by symbol, delete."""
    with sqlite3.connect(path) as hot, duckdb.connect() as connection:
        cursor = hot.execute("SELECT * FROM events ORDER BY ts_event, event_id")
        names = [column[0] for column in cursor.description]
        events = pa.table(dict(zip(names, map(pa.array, zip(*cursor.fetchall(), strict=True)), strict=True)))
        connection.register("events", events)
        connection.execute(BARE.format(folder=target, shape=SHAPE, buckets=BUCKETS))
        hot.execute("DELETE FROM events")


def _sealer(folder):
    log = SqliteEventLog(folder / "events.db", clock=lambda: NOW)
    return log, Sealer(
        log, InMemorySegmentCatalogue(), root=folder / "events", buckets=BUCKETS, clock=lambda: NOW
    )


def _fill(folder, rows):
    """A day of signals, a millisecond apart; features repeat after 10,000 rows so that it is quickly made."""
    from benchmarks.bench_capture import signals
    from ordinis_learn.capture.validation import validate_row

    patterns = [validate_row(event) for event in signals(min(rows, 10_000))]
    log = SqliteEventLog(folder / "events.db", clock=lambda: NOW)
    first = int(START.timestamp() * 1e6) - 12 * 3_600_000_000
    for start in range(0, rows, 10_000):
        log.append_rows(
            [
                EventRow(
                    f"{pattern.event_id}-{start + n}",
                    pattern.event_type,
                    first + (start + n) * 1000,
                    first,
                    *pattern[4:],
                )
                for n, pattern in enumerate(patterns[: rows - start])
            ]
        )
    log._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    log.close()
