"""The event log in a PostgreSQL database, where several hosts capture.

Positions and readers: every writing transaction first takes one advisory lock and keeps it until its commit
is visible. So positions are given out in the order of commits, and a reader that sees position N sees every
smaller one that will ever be. The price, one writing transaction at a time in the database, is shared by all
threads of a process that append at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any, Final, LiteralString

import psycopg
import pyarrow as pa

from ordinis_learn.capture._database_log import DatabaseLog, newest_columns
from ordinis_learn.capture._group_commit import GroupCommit, Work
from ordinis_learn.capture._postgres_server import (
    APPENDING,
    SEALING,
    Connection,
    connect,
    named,
    prepare,
    translated,
)
from ordinis_learn.capture.columns import (
    DAY_US,
    SCAN_SCHEMA,
    from_microseconds,
    midnight,
    to_microseconds,
)
from ordinis_learn.capture.sealed import SEALED_ENVELOPE, Bounds
from ordinis_learn.capture.tally import tallied
from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.ports import Clock, EventRow, HotDay, Tally
from ordinis_learn.records import Segment, Topic

__all__ = ["PostgresEventLog"]

_CHUNK_ROWS: Final = 1 << 16
_INSERT: Final = """INSERT INTO events
    (event_id, event_type, ts_event, ts_ingest, partition_key, correlation_id, envelope, payload)
    SELECT event_id, event_type, ts_event, ts_ingest, partition_key, correlation_id, envelope, payload
    FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])
        WITH ORDINALITY AS given (
            event_id, event_type, ts_event, ts_ingest, partition_key, correlation_id, envelope, payload, number)
    WHERE NOT EXISTS (SELECT 1 FROM sealed_ids WHERE sealed_ids.event_id = given.event_id COLLATE "C")
    ORDER BY number
    ON CONFLICT (event_id) DO NOTHING"""
_QUARANTINE: Final = """INSERT INTO quarantine (digest, code, reason, count, first_seen, last_seen, raw)
    VALUES (%s, %s, %s, 1, %s, %s, %s)
    ON CONFLICT (digest) DO UPDATE SET count = quarantine.count + 1, last_seen = excluded.last_seen"""
_UNPURGED: Final = f"""NOT EXISTS (
    SELECT 1 FROM purges WHERE purges.event_type = events.event_type AND events.position <= until_position
    AND events.ts_event >= purges.start AND events.ts_event < purges.start + {DAY_US})"""  # noqa: S608  all constants
_ROWS: Final = f"""FROM events
    WHERE event_type = %(event_type)s AND ts_event >= %(start)s AND ts_event < %(end)s
    AND position > %(after)s AND position <= %(position)s AND {_UNPURGED}
    ORDER BY ts_event, event_id"""
_SCAN: Final = (
    f"""SELECT position, event_id, ts_event, ts_ingest, partition_key, correlation_id, payload {_ROWS}"""
)
_HOT_ROWS: Final = f"""SELECT position, event_id, ts_event, ts_ingest, partition_key, correlation_id,
    envelope, payload {_ROWS}"""
# Whole days since 1970, rounded down also before it.
_HOT_DAYS: Final = f"""SELECT event_type, ts_event - ((ts_event %% {DAY_US}) + {DAY_US}) %% {DAY_US} AS start,
    count(*), max(position)
    FROM events WHERE ts_event < %s AND {_UNPURGED} GROUP BY 1, 2 ORDER BY 2, 1"""  # noqa: S608
_NEWEST: Final = f"""SELECT event_id, ts_event, envelope FROM events
    WHERE event_type = %(event_type)s AND ts_event >= %(start)s AND ts_event < %(end)s AND {_UNPURGED}
    ORDER BY ts_event DESC LIMIT %(limit)s"""  # noqa: S608
_SEGMENTS: Final = "SELECT record FROM segments WHERE event_type = %s AND first < %s AND last >= %s"
_PURGE: Final = f"""WITH gone AS (
        DELETE FROM events WHERE position IN (
            SELECT events.position FROM events JOIN purges USING (event_type)
            WHERE events.position <= until_position
            AND ts_event >= purges.start AND ts_event < purges.start + {DAY_US} LIMIT 20000)
        RETURNING event_id)
    INSERT INTO sealed_ids SELECT event_id FROM gone ON CONFLICT DO NOTHING"""  # noqa: S608
_POSITION: Final = """SELECT greatest(
    (SELECT coalesce(max(position), 0) FROM events),
    (SELECT coalesce(max(last_position), 0) FROM segments))"""
_COUNTS: Final = f"""SELECT event_type, sum(n)::bigint FROM (
        SELECT event_type, count(*) AS n FROM events WHERE {_UNPURGED} GROUP BY event_type
        UNION ALL SELECT event_type, rows FROM segments) AS both_of_them
    GROUP BY event_type"""  # noqa: S608

# One statement, one moment. The row without a type says how far the log goes and how many files are sealed.
_TALLY: Final = f"""SELECT event_type, sum(n)::bigint, max(position) FROM (
        SELECT event_type, count(*) AS n, max(position) AS position
        FROM events WHERE {_UNPURGED} GROUP BY event_type
        UNION ALL SELECT event_type, rows, last_position FROM segments) AS both_of_them
    GROUP BY event_type UNION ALL SELECT NULL, count(*), 0 FROM segments"""  # noqa: S608
_NEWER: Final = """SELECT event_type, count(*), max(position) FROM events WHERE position > %s
    GROUP BY event_type UNION ALL SELECT NULL, count(*), 0 FROM segments"""


class PostgresEventLog(DatabaseLog):
    """Events in a PostgreSQL database, in its schema ``ordinis_events``; see :class:`~ordinis_learn.ports.SealableLog`.

    ``append`` returns after the commit is on the server's disk. Threads share one log and calls that come at
    once share a commit; any number of processes and hosts may write at once. A connection that broke is
    opened again by the next call. A log does not survive ``fork``.

    Parameters
    ----------
    url : str
        ``postgresql://user@host:5432/database``. The schema and its tables are made when absent.
    clock : Clock
        Says when a quarantined event was seen.
    sealed : Path
        The folder of sealed files; hosts that seal or read share it.

    Raises
    ------
    ConfigInvalid
        The address cannot be read.
    StoreUnavailable
        The server cannot be reached, or its schema was written by a newer release.
    """

    def __init__(self, url: str, *, clock: Clock, sealed: Path) -> None:
        super().__init__(sealed=sealed, asked=named(url))
        self._url = url
        self._clock = clock
        self._lock = Lock()
        self._closed = False
        self._commits = GroupCommit(
            self._transact, is_common=lambda error: isinstance(error, StoreUnavailable)
        )
        with translated(f"open {self._asked}"):
            self._connection = connect(url)
            try:
                prepare(self._connection, asked=f"open {self._asked}")
            except (psycopg.Error, StoreUnavailable):
                self._connection.close()
                raise

    def append_rows(self, rows: Sequence[EventRow]) -> int:
        """Store rows that are new, in one durable transaction; return how many were."""
        if not rows:
            return 0
        columns = [list(column) for column in zip(*rows, strict=True)]
        return int(self._write(lambda connection: connection.execute(_INSERT, columns).rowcount))

    def quarantine(self, raw: bytes, *, code: str, reason: str) -> None:
        """Keep a bad event whole; the first reason stays when the same bytes come again."""
        now = to_microseconds(self._clock())
        values = (hashlib.sha256(raw).hexdigest(), code, reason.replace("\x00", "\\x00"), now, now, raw)
        self._write(lambda connection: connection.execute(_QUARANTINE, values).rowcount)

    def release(self, digest: str) -> bool:
        """Take an entry out of the quarantine."""
        statement: LiteralString = "DELETE FROM quarantine WHERE digest = %s"
        return bool(self._write(lambda connection: connection.execute(statement, (digest,)).rowcount))

    def position(self) -> int:
        """Return the position of the newest event, 0 for an empty log."""
        return int(self._rows(_POSITION)[0][0])

    def counts(self) -> Mapping[str, int]:
        """Return stored events by type, sealed and hot."""
        return dict(self._rows(_COUNTS))

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
        """Release the connection; calling again does nothing."""
        if self._is_own_process():
            with self._lock:
                self._closed = True
                self._connection.close()

    def identity(self) -> str:
        """Return what tells this log from every other: drawn when its tables were made."""
        return str(self._rows("SELECT log_id FROM identity")[0][0])

    @contextmanager
    def sealing(self) -> Iterator[None]:
        """Be the only sealer among all hosts, by a lock that goes with the connection.

        It is given back by name as well: the server notices a closed connection only after a while, and whoever
        sealed next would be told that somebody is at work.
        """
        with translated(f"seal {self._asked}"), connect(self._url) as connection:
            connection.autocommit = True
            found = connection.execute("SELECT pg_try_advisory_lock(%s)", (SEALING,)).fetchone()
            if found != (True,):
                raise StoreUnavailable(
                    f"seal {self._asked}",
                    found="another sealer is at work on it",
                    next_step="wait until it has finished; what it seals need not be sealed again",
                )
            try:
                yield
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", (SEALING,))

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
        with self._reading() as reader:
            yield from _batches(reader, _HOT_ROWS, day.topic, bounds, SEALED_ENVELOPE)

    def segments(self) -> Sequence[Segment]:
        """Return the sealed files that readers see, by type, day, generation and bucket."""
        found = [Segment.model_validate_json(text) for (text,) in self._rows("SELECT record FROM segments")]
        return sorted(found, key=lambda one: (one.event_type, one.day, one.generation, one.bucket))

    def switch(self, segments: Sequence[Segment]) -> None:
        """Let readers see one generation's files in place of the hot rows, in one short transaction."""
        rows = [_segment_row(one) for one in segments]
        purges = sorted({(one.event_type.value, midnight(one.day), one.until_position) for one in segments})

        def work(connection: Connection) -> None:
            cursor = connection.cursor()
            cursor.executemany(
                """INSERT INTO purges VALUES (%s, %s, %s) ON CONFLICT (event_type, start)
                DO UPDATE SET until_position = excluded.until_position""",
                purges,
            )
            cursor.executemany(
                "INSERT INTO segments VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (path) DO NOTHING", rows
            )

        self._write(work)

    def purge(self) -> int:
        """Remove hot rows that are sealed, in short transactions between those of writers."""
        purged = 0
        while chunk := self._write(lambda connection: connection.execute(_PURGE).rowcount):
            purged += chunk
        self._write(lambda connection: connection.execute("DELETE FROM purges").rowcount)
        return purged

    def _newest(
        self, topic: Topic, bounds: Bounds, limit: int
    ) -> tuple[Mapping[str, Sequence[Any]], list[Segment]]:
        named = {"event_type": topic.value, "start": bounds.start, "end": bounds.end, "limit": limit}
        with self._reading() as reader:
            found = reader.execute(_SEGMENTS, (topic.value, bounds.end, bounds.start)).fetchall()
            rows = reader.execute(_NEWEST, named).fetchall()
        return newest_columns(rows), [Segment.model_validate_json(text) for (text,) in found]

    def _snapshot(self, topic: Topic, bounds: Bounds) -> tuple[pa.Table, list[Segment]]:
        with self._reading() as reader:
            found = reader.execute(_SEGMENTS, (topic.value, bounds.end, bounds.start)).fetchall()
            hot = pa.Table.from_batches(
                _batches(reader, _SCAN, topic, bounds, SCAN_SCHEMA), schema=SCAN_SCHEMA
            )
        return hot, [Segment.model_validate_json(text) for (text,) in found]

    def _write(self, work: Work[Connection]) -> Any:
        self._require_own_process("write to")
        return self._commits.run(work)

    def _transact(self, works: Sequence[Work[Connection]]) -> list[Any]:
        with self._lock, translated(f"write to {self._asked}"), self._connected().transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (APPENDING,))
            return [work(self._connection) for work in works]

    def _rows(self, query: LiteralString, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self._require_own_process("read")
        with self._lock, translated(f"read {self._asked}"), self._connected().transaction():
            return self._connection.execute(query, values or None).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Open one snapshot on a connection of its own, so that a long read stops no writer."""
        self._require_own_process("read")
        with translated(f"read {self._asked}"):
            self._refuse_when_closed()
            with connect(self._url) as reader:
                reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                reader.read_only = True
                yield reader

    def _connected(self) -> Connection:
        self._refuse_when_closed()
        if self._connection.closed:
            self._connection = connect(self._url)
        return self._connection

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable(
                f"use {self._asked}", found="it was closed", next_step="open the event log again"
            )


def _segment_row(one: Segment) -> tuple[Any, ...]:
    return (
        one.path,
        one.event_type.value,
        to_microseconds(one.first),
        to_microseconds(one.last),
        one.rows,
        one.last_position,
        one.model_dump_json(),
    )


def _batches(
    reader: Connection, query: LiteralString, topic: Topic, bounds: Bounds, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    values = {
        "event_type": topic.value,
        "start": bounds.start,
        "end": bounds.end,
        "after": bounds.after,
        "position": bounds.position,
    }
    with reader.cursor(name="rows") as cursor:
        cursor.itersize = _CHUNK_ROWS
        cursor.execute(query, values)
        while rows := cursor.fetchmany(_CHUNK_ROWS):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(found, type=field.type) for found, field in zip(columns, schema, strict=True)]
            yield pa.record_batch(arrays, schema=schema)
