"""An event log in memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

import pyarrow as pa

from ordinis_learn.capture.buckets import check_bucket, in_bucket
from ordinis_learn.capture.columns import SCAN_SCHEMA, from_microseconds, to_microseconds
from ordinis_learn.capture.payload_columns import columns_by_record
from ordinis_learn.capture.rows import row_of
from ordinis_learn.capture.sealed import Bounds
from ordinis_learn.ports import Clock, EventRow, Tally
from ordinis_learn.records import Envelope, Topic

__all__ = ["InMemoryEventLog"]


class InMemoryEventLog:
    """The contract of :class:`~ordinis_learn.ports.EventLog` without its durability.

    Parameters
    ----------
    clock : Clock
        Says when a quarantined event was seen.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._positions: dict[str, int] = {}
        self._events: list[EventRow] = []
        self._quarantine: dict[str, dict[str, Any]] = {}

    def append(self, events: Sequence[Envelope]) -> int:
        """Keep events that are new; return how many were."""
        return self.append_rows([row_of(event) for event in events])

    def append_rows(self, rows: Sequence[EventRow]) -> int:
        """Keep rows that are new; return how many were."""
        with self._lock:
            before = len(self._events)
            for row in rows:
                if row.event_id not in self._positions:
                    self._events.append(row)
                    self._positions[row.event_id] = len(self._events)
            return len(self._events) - before

    def quarantine(self, raw: bytes, *, code: str, reason: str) -> None:
        """Keep a bad event whole; the first reason stays when the same bytes come again."""
        now = self._clock()
        digest = hashlib.sha256(raw).hexdigest()
        fresh = {"digest": digest, "code": code, "reason": reason, "count": 0, "first_seen": now, "raw": raw}
        with self._lock:
            entry = self._quarantine.setdefault(digest, fresh)
            entry["count"] += 1
            entry["last_seen"] = now

    def release(self, digest: str) -> bool:
        """Take an entry out of the quarantine."""
        with self._lock:
            return self._quarantine.pop(digest, None) is not None

    def scan(
        self,
        topic: Topic,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        after_position: int | None = None,
        until_position: int | None = None,
    ) -> pa.Table:
        """Return events of one type, ordered by (ts_event, event_id)."""
        first = None if start is None else to_microseconds(start)
        last = None if end is None else to_microseconds(end)
        rows = [
            self._row(event)
            for event in self._known(topic, until_position, after_position)
            if (first is None or event.ts_event >= first) and (last is None or event.ts_event < last)
        ]
        rows.sort(key=lambda row: (row["ts_event"], row["event_id"]))
        return pa.Table.from_pylist(rows, schema=SCAN_SCHEMA)

    def read_columns(
        self,
        topic: Topic,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        after_position: int | None = None,
        until_position: int | None = None,
        bucket: tuple[int, int] | None = None,
    ) -> pa.Table:
        """Return events of one type with their payloads as typed columns, read by the record model."""
        if bucket is not None:
            check_bucket(bucket)
        scanned = self.scan(
            topic, start=start, end=end, after_position=after_position, until_position=until_position
        )
        return columns_by_record(topic, in_bucket(scanned, bucket))

    def envelopes(
        self, topic: Topic, *, start: datetime | None = None, end: datetime | None = None, limit: int
    ) -> Sequence[str]:
        """Return the envelope texts of the newest events of a span, oldest first."""
        bounds = Bounds.of(start=start, end=end, until_position=None)
        found = [
            event for event in self._known(topic, None, None) if bounds.start <= event.ts_event < bounds.end
        ]
        found.sort(key=lambda event: (event.ts_event, event.event_id))
        return [event.envelope for event in found[len(found) - min(limit, len(found)) :]]

    def position(self) -> int:
        """Return how many events were stored."""
        return len(self._events)

    def counts(self) -> Mapping[str, int]:
        """Return stored events by type."""
        return Counter(event.event_type for event in self._known(None, None, None))

    def tally(self, since: Tally | None = None) -> Tally:
        """Return stored events by type; counting anew is as quick as counting on."""
        del since
        return Tally(position=self.position(), segments=0, counts=self.counts())

    def quarantine_counts(self) -> Mapping[str, int]:
        """Return how many entries the quarantine holds, by error code."""
        return Counter(entry["code"] for entry in self.quarantined())

    def quarantined(self) -> Sequence[Mapping[str, Any]]:
        """Return quarantined entries, the first seen first."""
        with self._lock:
            entries = [dict(entry) for entry in self._quarantine.values()]
        return sorted(entries, key=lambda entry: (entry["first_seen"], entry["digest"]))

    def close(self) -> None:
        """Do nothing; there is no file."""

    def _known(self, topic: Topic | None, until: int | None, after: int | None) -> list[EventRow]:
        with self._lock:
            events = self._events[max(0, after or 0) : until]
        return [event for event in events if topic is None or event.event_type == topic]

    def _row(self, event: EventRow) -> dict[str, Any]:
        return {
            "position": self._positions[event.event_id],
            "event_id": event.event_id,
            "ts_event": from_microseconds(event.ts_event),
            "ts_ingest": from_microseconds(event.ts_ingest),
            "partition_key": event.partition_key,
            "correlation_id": event.correlation_id,
            "payload": event.payload,
        }
