"""The event log in one SQLite file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any, Final

import pyarrow as pa

from ordinis_learn.capture._database_log import DatabaseLog, newest_columns
from ordinis_learn.capture._group_commit import GroupCommit, Work
from ordinis_learn.capture._sqlite_file import connect, is_busy, prepare, translated
from ordinis_learn.capture._sqlite_hot import UNPURGED, hot_batches, row_batches
from ordinis_learn.capture.columns import DAY_US, SCAN_SCHEMA, from_microseconds, midnight, to_microseconds
from ordinis_learn.capture.sealed import Bounds
from ordinis_learn.capture.tally import tallied
from ordinis_learn.errors import DataCorrupt, StoreUnavailable
from ordinis_learn.ports import Clock, EventRow, HotDay, Tally
from ordinis_learn.records import Segment, Topic

__all__ = ["SqliteEventLog"]

_CHUNK_ROWS: Final = 1 << 16
_PURGED_ROWS: Final = 20_000

# Event ids arrive in no order, so a batch touches much of their index: keep it in memory (32 MiB) and carry
# it back into the file only every 16 MiB of log. Together a third faster than SQLite's defaults.
# Some builds of SQLite overwrite what is deleted and write every page that becomes free: for rows that the
# sealed files hold anyway, that is work without use.
_WRITER_PRAGMAS: Final = (
    "PRAGMA cache_size = -32768",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA secure_delete = OFF",
)

_REMEMBER: Final = "INSERT INTO known_ids VALUES (?) ON CONFLICT (event_id) DO NOTHING"
_INSERT: Final = """INSERT INTO events
    (event_id, event_type, ts_event, ts_ingest, partition_key, correlation_id, envelope, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""

_QUARANTINE: Final = """INSERT INTO quarantine (digest, code, reason, count, first_seen, last_seen, raw)
    VALUES (?, ?, ?, 1, ?, ?, ?)
    ON CONFLICT (digest) DO UPDATE SET count = count + 1, last_seen = excluded.last_seen"""

_SCAN: Final = f"""SELECT position, event_id, ts_event, ts_ingest, partition_key, correlation_id, payload
    FROM events
    WHERE event_type = :event_type AND ts_event >= :start AND ts_event < :end AND position <= :position
    AND {UNPURGED}
    ORDER BY ts_event, event_id"""  # noqa: S608
# Whoever follows the log asks for its newest rows: those are found by where they lie, not by type and time.
_SCAN_TAIL: Final = _SCAN.replace("FROM events\n", "FROM events NOT INDEXED\n", 1).replace(
    "position <= :position", "position > :after AND position <= :position", 1
)
# Whole days since 1970, rounded down also before it.
_HOT_DAYS: Final = f"""SELECT event_type, (ts_event - ((ts_event % {DAY_US}) + {DAY_US}) % {DAY_US}) AS start,
    count(*), max(position)
    FROM events WHERE ts_event < ? AND {UNPURGED} GROUP BY 1, 2 ORDER BY 2, 1"""  # noqa: S608
_NEWEST: Final = f"""SELECT event_id, ts_event, envelope FROM events
    WHERE event_type = :event_type AND ts_event >= :start AND ts_event < :end AND {UNPURGED}
    ORDER BY ts_event DESC LIMIT :limit"""  # noqa: S608
_SEGMENTS: Final = "SELECT record FROM segments WHERE event_type = ? AND first < ? AND last >= ?"
_PURGE: Final = f"""DELETE FROM events WHERE position IN (
    SELECT position FROM events WHERE event_type = :event_type AND position <= :until
    AND ts_event >= :start AND ts_event < :start + {DAY_US} ORDER BY ts_event, position LIMIT {_PURGED_ROWS})"""  # noqa: S608
# One statement, one moment. The row without a type says how far the log goes and how many files are sealed.
_TALLY: Final = f"""SELECT event_type, sum(n), max(position) FROM (
        SELECT event_type, count(*) AS n, max(position) AS position
        FROM events WHERE {UNPURGED} GROUP BY event_type
        UNION ALL SELECT event_type, json_extract(record, '$.rows'), json_extract(record, '$.last_position')
        FROM segments) GROUP BY event_type
    UNION ALL SELECT NULL, count(*), 0 FROM segments"""  # noqa: S608
# By position, although an index by type is there: it would be read from end to end.
_NEWER: Final = """SELECT event_type, count(*), max(position) FROM events NOT INDEXED WHERE position > ?
    GROUP BY event_type UNION ALL SELECT NULL, count(*), 0 FROM segments"""
_POSITION: Final = """SELECT max(
    (SELECT coalesce(max(position), 0) FROM events),
    (SELECT coalesce(max(json_extract(record, '$.last_position')), 0) FROM segments))"""


class SqliteEventLog(DatabaseLog):
    """Events in a SQLite file (write-ahead log, ``synchronous=FULL``); see :class:`~ordinis_learn.ports.SealableLog`.

    ``append`` returns after the commit was synced to disk, so neither a killed process nor a power cut
    loses what it acknowledged. Threads share one log, and calls that come at once share a commit; several
    processes may open the same file and write at once, each waits for the others up to 30 seconds. A log
    does not survive ``fork``: open another one in the child. Do not put the file on a network file system:
    SQLite's locks do not hold there.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made when absent.
    clock : Clock
        Says when a quarantined event was seen.
    sealed : Path, optional
        The folder of sealed files; ``events/`` beside the file where not given.

    Raises
    ------
    StoreUnavailable
        The file or folder cannot be read or written, or was written by a newer release.
    DataCorrupt
        The file is something else, or damaged.
    """

    def __init__(self, path: Path, *, clock: Clock, sealed: Path | None = None) -> None:
        super().__init__(sealed=sealed or path.parent / "events", asked=f"the event log {path}")
        self._path = path
        self._clock = clock
        self._lock = Lock()
        self._commits = GroupCommit(self._transact, is_common=lambda error: is_busy(error.__cause__))
        with translated("open the event log", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = connect(path, mode="rwc")
            try:
                prepare(self._connection, path)
                for pragma in _WRITER_PRAGMAS:
                    self._connection.execute(pragma)
            except (sqlite3.Error, StoreUnavailable, DataCorrupt):
                self._connection.close()
                raise

    def append_rows(self, rows: Sequence[EventRow]) -> int:
        """Store rows that are new, in one durable transaction; return how many were."""
        if not rows:
            return 0
        return int(self._write(lambda connection: _insert(connection, rows)))

    def quarantine(self, raw: bytes, *, code: str, reason: str) -> None:
        """Keep a bad event whole; the first reason stays when the same bytes come again."""
        now = to_microseconds(self._clock())
        values = (hashlib.sha256(raw).hexdigest(), code, reason, now, now, raw)
        self._write(lambda connection: connection.execute(_QUARANTINE, values))

    def release(self, digest: str) -> bool:
        """Take an entry out of the quarantine."""
        statement = "DELETE FROM quarantine WHERE digest = ?"
        return bool(self._write(lambda connection: connection.execute(statement, (digest,)).rowcount))

    def position(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        return int(self._rows(_POSITION)[0][0])

    def counts(self) -> Mapping[str, int]:
        """Return stored events by type, sealed and hot."""
        hot = f"SELECT event_type, count(*) AS n FROM events WHERE {UNPURGED} GROUP BY event_type"  # noqa: S608
        sealed = (
            "SELECT event_type, sum(json_extract(record, '$.rows')) AS n FROM segments GROUP BY event_type"
        )
        both = f"SELECT event_type, sum(n) FROM ({hot} UNION ALL {sealed}) GROUP BY event_type"  # noqa: S608
        return dict(self._rows(both))

    def tally(self, since: Tally | None = None) -> Tally:
        """Return stored events by type and the position they reach, from one consistent state."""
        return tallied(
            lambda: self._rows(_TALLY), lambda position: self._rows(_NEWER, (position,)), since=since
        )

    def quarantine_counts(self) -> Mapping[str, int]:
        """Return how many entries the quarantine holds, by error code."""
        return dict(self._rows("SELECT code, count(*) FROM quarantine GROUP BY code ORDER BY code"))

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
        if self._is_own_process():
            with self._lock:
                self._connection.close()

    def identity(self) -> str:
        """Return what tells this log from every other: drawn when its file was made."""
        return str(self._rows("SELECT log_id FROM identity")[0][0])

    @contextmanager
    def sealing(self) -> Iterator[None]:
        """Be the only sealer, by a lock that goes with the process."""
        with translated("seal the event log", self._path):
            self._sealed.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._sealed / ".sealing", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock_or_refuse(lock, self._path)
            yield
        finally:
            os.close(lock)

    def hot_days(self, *, before: date) -> Sequence[HotDay]:
        """Return days before a date that have events which are not sealed, oldest first."""
        found = self._rows(_HOT_DAYS, (midnight(before),))
        return [
            HotDay(Topic(topic), from_microseconds(start).date(), rows, until)
            for topic, start, rows, until in found
        ]

    def hot_rows(self, day: HotDay) -> Iterator[pa.RecordBatch]:
        """Yield a day's events whole, ordered by (ts_event, event_id)."""
        start = midnight(day.day)
        bounds = Bounds(start=start, end=start + DAY_US, position=day.until_position)
        with translated("read events", self._path), closing(connect(self._path, mode="rw")) as reader:
            yield from hot_batches(reader, day.topic, bounds)

    def segments(self) -> Sequence[Segment]:
        """Return the sealed files that readers see, by type, day, generation and bucket."""
        rows = self._rows("SELECT record FROM segments ORDER BY path")
        found = [Segment.model_validate_json(text) for (text,) in rows]
        return sorted(found, key=lambda one: (one.event_type, one.day, one.generation, one.bucket))

    def switch(self, segments: Sequence[Segment]) -> None:
        """Let readers see one generation's files in place of the hot rows, in one short transaction."""
        rows = [
            (
                one.path,
                one.event_type,
                to_microseconds(one.first),
                to_microseconds(one.last),
                one.model_dump_json(),
            )
            for one in segments
        ]
        purges = {(one.event_type.value, midnight(one.day), one.until_position) for one in segments}

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO purges VALUES (?, ?, ?)", sorted(purges))
            connection.executemany("INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?)", rows)

        self._write(work)

    def purge(self) -> int:
        """Remove hot rows that are sealed, in short transactions between those of writers."""
        purged = 0
        while chunk := self._write(_purge_some):
            purged += chunk
        self._write(lambda connection: connection.execute("DELETE FROM purges"))
        return purged

    def _newest(
        self, topic: Topic, bounds: Bounds, limit: int
    ) -> tuple[Mapping[str, Sequence[Any]], list[Segment]]:
        self._require_own_process("read")
        with translated("read events", self._path), closing(connect(self._path, mode="rw")) as reader:
            reader.execute("BEGIN")
            found = reader.execute(_SEGMENTS, (topic.value, bounds.end, bounds.start)).fetchall()
            named = {key: value for key, value in _named(topic, bounds).items() if key != "position"}
            rows = reader.execute(_NEWEST, {**named, "limit": limit}).fetchall()
        return newest_columns(rows), [Segment.model_validate_json(text) for (text,) in found]

    def _snapshot(self, topic: Topic, bounds: Bounds) -> tuple[pa.Table, list[Segment]]:
        self._require_own_process("read")
        with translated("read events", self._path), closing(connect(self._path, mode="rw")) as reader:
            reader.execute("BEGIN")
            found = reader.execute(_SEGMENTS, (topic.value, bounds.end, bounds.start)).fetchall()
            scan = _SCAN_TAIL if bounds.after > 0 else _SCAN
            cursor = reader.execute(scan, _named(topic, bounds))
            hot = pa.Table.from_batches(
                row_batches(cursor, SCAN_SCHEMA, size=_CHUNK_ROWS), schema=SCAN_SCHEMA
            )
        return hot, [Segment.model_validate_json(text) for (text,) in found]

    def _write(self, work: Work[sqlite3.Connection]) -> Any:
        self._require_own_process("write to")
        return self._commits.run(work)

    def _transact(self, works: Sequence[Work[sqlite3.Connection]]) -> list[Any]:
        with self._lock, translated("write events to", self._path), self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            return [work(connection) for work in works]

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self._require_own_process("read")
        with self._lock, translated("read the event log", self._path):
            return self._connection.execute(query, values).fetchall()


def _lock_or_refuse(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreUnavailable(
            f"seal the event log {path}",
            found="another sealer is at work on it",
            next_step="wait until it has finished; what it seals need not be sealed again",
        ) from error


def _insert(connection: sqlite3.Connection, rows: Sequence[EventRow]) -> int:
    new = [row for row in rows if connection.execute(_REMEMBER, (row.event_id,)).rowcount]
    connection.executemany(_INSERT, new)
    return len(new)


def _purge_some(connection: sqlite3.Connection) -> int:
    for purge in connection.execute("SELECT * FROM purges").fetchall():
        deleted = connection.execute(_PURGE, dict(zip(("event_type", "start", "until"), purge, strict=True)))
        if deleted.rowcount:
            return int(deleted.rowcount)
    return 0


def _named(topic: Topic, bounds: Bounds) -> dict[str, Any]:
    return {
        "event_type": topic.value,
        "start": bounds.start,
        "end": bounds.end,
        "after": bounds.after,
        "position": bounds.position,
    }
