"""The event log in one SQLite file."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal

import pyarrow as pa

from ordinis_learn.capture.buckets import check_bucket, in_bucket
from ordinis_learn.capture.columns import SCAN_SCHEMA, from_microseconds, to_microseconds
from ordinis_learn.capture.payload_columns import typed_columns
from ordinis_learn.errors import DataCorrupt, StoreUnavailable
from ordinis_learn.ports import Clock
from ordinis_learn.records import Envelope, Topic

__all__ = ["SqliteEventLog"]

_SCHEMA_VERSION: Final = 1
_BUSY_SECONDS: Final = 30.0
_CHUNK_ROWS: Final = 1 << 16
_IN_COLUMNS: Final = {
    "event_id",
    "event_type",
    "ts_event",
    "ts_ingest",
    "partition_key",
    "correlation_id",
    "payload",
}

# AUTOINCREMENT: a position is not given out again after its event has moved to cold storage.
_TABLES: Final = (
    """CREATE TABLE events (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL UNIQUE,
        event_type TEXT NOT NULL,
        ts_event INTEGER NOT NULL,
        ts_ingest INTEGER NOT NULL,
        partition_key TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        envelope TEXT NOT NULL,
        payload TEXT NOT NULL
    )""",
    "CREATE INDEX events_by_type_and_time ON events (event_type, ts_event)",
    """CREATE TABLE quarantine (
        digest TEXT PRIMARY KEY,
        code TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        raw BLOB NOT NULL
    ) WITHOUT ROWID""",
    f"PRAGMA user_version = {_SCHEMA_VERSION}",
)

# Event ids arrive in no order, so a batch touches much of their index: keep it in memory (32 MiB) and carry
# it back into the file only every 16 MiB of log. Together a third faster than SQLite's defaults.
_WRITER_PRAGMAS: Final = ("PRAGMA cache_size = -32768", "PRAGMA wal_autocheckpoint = 4000")

_INSERT: Final = """INSERT INTO events
    (event_id, event_type, ts_event, ts_ingest, partition_key, correlation_id, envelope, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING"""

_QUARANTINE: Final = """INSERT INTO quarantine (digest, code, reason, count, first_seen, last_seen, raw)
    VALUES (?, ?, ?, 1, ?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET count = count + 1, last_seen = excluded.last_seen"""

_SCAN: Final = """SELECT position, event_id, ts_event, ts_ingest, partition_key, correlation_id, payload
    FROM events
    WHERE event_type = :event_type AND ts_event >= :start AND ts_event < :end AND position <= :position
    ORDER BY ts_event, event_id"""

_INT64_MAX: Final = (1 << 63) - 1


class SqliteEventLog:
    """Events in a SQLite file (write-ahead log, ``synchronous=FULL``); see :class:`~ordinis_learn.ports.EventLog`.

    ``append`` returns after the commit was synced to disk, so neither a killed process nor a power cut
    loses what it acknowledged. Threads share one log; several processes may open the same file and write
    at once, each waits for the others up to 30 seconds. Do not carry an open log across ``fork`` and do
    not put the file on a network file system: SQLite's locks do not hold there.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made when absent.
    clock : Clock
        Says when a quarantined event was seen.

    Raises
    ------
    StoreUnavailable
        The file or folder cannot be read or written, or was written by a newer release.
    DataCorrupt
        The file is something else, or damaged.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = Lock()
        with _translated("open the event log", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _connect(path, mode="rwc")
            try:
                _prepare(self._connection, path)
                for pragma in _WRITER_PRAGMAS:
                    self._connection.execute(pragma)
            except (sqlite3.Error, StoreUnavailable, DataCorrupt):
                self._connection.close()
                raise

    def append(self, events: Sequence[Envelope]) -> int:
        """Store events that are new, in one durable transaction; return how many were."""
        if not events:
            return 0
        rows = [_row(event) for event in events]
        with self._writing("append events") as connection:
            before = connection.total_changes
            connection.executemany(_INSERT, rows)
            return connection.total_changes - before

    def quarantine(self, raw: bytes, *, code: str, reason: str) -> None:
        """Keep a bad event whole; the first reason stays when the same bytes come again."""
        now = to_microseconds(self._clock())
        digest = hashlib.sha256(raw).hexdigest()
        with self._writing("quarantine an event") as connection:
            connection.execute(_QUARANTINE, (digest, code, reason, now, now, raw))

    def scan(
        self,
        topic: Topic,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        until_position: int | None = None,
    ) -> pa.Table:
        """Return events of one type; reads beside writers, from one consistent state of the file."""
        bounds = {
            "event_type": Topic(topic).value,
            "start": -_INT64_MAX if start is None else to_microseconds(start),
            "end": _INT64_MAX if end is None else to_microseconds(end),
            "position": _INT64_MAX if until_position is None else until_position,
        }
        with _translated("read events", self._path), closing(_connect(self._path, mode="rw")) as reader:
            cursor = reader.execute(_SCAN, bounds)
            return pa.Table.from_batches(_batches(cursor), schema=SCAN_SCHEMA)

    def read_columns(
        self,
        topic: Topic,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        until_position: int | None = None,
        bucket: tuple[int, int] | None = None,
    ) -> pa.Table:
        """Return events of one type with their payloads as typed columns."""
        if bucket is not None:
            check_bucket(bucket)
        scanned = self.scan(topic, start=start, end=end, until_position=until_position)
        return typed_columns(topic, in_bucket(scanned, bucket))

    def position(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        return int(self._rows("SELECT coalesce(max(position), 0) FROM events")[0][0])

    def counts(self) -> Mapping[str, int]:
        """Return stored events by type."""
        return dict(self._rows("SELECT event_type, count(*) FROM events GROUP BY event_type"))

    def quarantined(self) -> Sequence[Mapping[str, Any]]:
        """Return quarantined entries, the first seen first."""
        names = ("digest", "code", "reason", "count", "first_seen", "last_seen", "raw")
        rows = self._rows(f"SELECT {', '.join(names)} FROM quarantine ORDER BY first_seen, digest")  # noqa: S608
        entries = [dict(zip(names, row, strict=True)) for row in rows]
        for entry in entries:
            entry["first_seen"] = from_microseconds(entry["first_seen"])
            entry["last_seen"] = from_microseconds(entry["last_seen"])
        return entries

    def close(self) -> None:
        """Release the file; calling again does nothing."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _writing(self, asked: str) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(asked, self._path), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._lock, _translated("read the event log", self._path):
            return self._connection.execute(query).fetchall()


def _connect(path: Path, *, mode: Literal["rw", "rwc"]) -> sqlite3.Connection:
    """Open the file; only mode ``rwc`` makes one that is not there."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables where they are not there; leave a file that is not ours as it is."""
    if _is_ready(connection, path):
        return
    _switch_to_wal(connection)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if not _is_ready(connection, path):
            for statement in _TABLES:
                connection.execute(statement)


def _is_ready(connection: sqlite3.Connection, path: Path) -> bool:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == _SCHEMA_VERSION:
        return True
    asked = f"open the event log {path}"
    if version > _SCHEMA_VERSION:
        raise StoreUnavailable(
            asked,
            found=f"its schema is {version}; this release reads up to {_SCHEMA_VERSION}",
            next_step="upgrade with: pip install --upgrade ordinis-learn",
        )
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise DataCorrupt(
            asked,
            found="a SQLite database with other tables",
            next_step="move the file away, or set ORDINIS_HOME to another folder",
        )
    return False


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Ask for the write-ahead log; SQLite does not wait by itself when another process asks too."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _row(event: Envelope) -> tuple[Any, ...]:
    return (
        event.event_id,
        event.event_type,
        to_microseconds(event.ts_event),
        to_microseconds(event.ts_ingest),
        event.partition_key,
        event.correlation_id,
        event.model_dump_json(exclude=_IN_COLUMNS),
        event.payload_json,
    )


def _batches(cursor: sqlite3.Cursor) -> Iterator[pa.RecordBatch]:
    while rows := cursor.fetchmany(_CHUNK_ROWS):
        columns = zip(*rows, strict=True)
        arrays = [
            pa.array(values, type=field.type) for values, field in zip(columns, SCAN_SCHEMA, strict=True)
        ]
        yield pa.record_batch(arrays, schema=SCAN_SCHEMA)


@contextmanager
def _translated(asked: str, path: Path) -> Iterator[None]:
    asked = f"{asked} {path}"
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise StoreUnavailable(asked, found=str(error), next_step="open the event log again") from error
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(asked, found=str(error), next_step=_remedy(error, path)) from error
    except sqlite3.DatabaseError as error:
        raise DataCorrupt(
            asked, found=str(error), next_step=f"move {path} away, or restore it from a backup"
        ) from error
    except OSError as error:
        raise StoreUnavailable(asked, found=str(error), next_step=_writable(path)) from error


def _remedy(error: sqlite3.OperationalError, path: Path) -> str:
    match error.sqlite_errorcode & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "wait for the other writer to finish, or stop it, and try again"
        case sqlite3.SQLITE_FULL:
            return f"free some space on the disk of {path.parent} and try again"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return _writable(path)
        case _:
            return f"check the disk of {path.parent} and try again"


def _writable(path: Path) -> str:
    return f"make {path.parent} a folder you may write to, or set ORDINIS_HOME to one"
