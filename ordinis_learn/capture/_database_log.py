"""What every log in a database does alike: it reads sealed and hot events as one table."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from ordinis_learn.capture.buckets import check_bucket, in_bucket
from ordinis_learn.capture.columns import PAYLOAD_COLUMNS, SCAN_SCHEMA
from ordinis_learn.capture.payload_columns import typed_columns
from ordinis_learn.capture.rows import row_of
from ordinis_learn.capture.sealed import Bounds, ordered, read_sealed
from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.ports import EventRow
from ordinis_learn.records import Envelope, Segment, Topic

__all__ = ["DatabaseLog"]


class DatabaseLog(ABC):
    """The reading half of :class:`~ordinis_learn.ports.SealableLog`, over one snapshot of a database.

    Parameters
    ----------
    sealed : Path
        The folder of sealed files.
    asked : str
        What messages call this log.
    """

    def __init__(self, *, sealed: Path, asked: str) -> None:
        self._sealed = sealed
        self._asked = asked
        self._process = os.getpid()

    def append(self, events: Sequence[Envelope]) -> int:
        """Store events that are new, in one durable transaction; return how many were."""
        return self.append_rows([row_of(event) for event in events])

    def scan(
        self,
        topic: Topic,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        after_position: int | None = None,
        until_position: int | None = None,
    ) -> pa.Table:
        """Return events of one type; reads beside writers and sealers, from one consistent state."""
        bounds = Bounds.of(start=start, end=end, after=after_position, until_position=until_position)
        hot, segments = self._snapshot(Topic(topic), bounds)
        if not segments:
            return hot
        sealed = read_sealed(self._sealed, segments, bounds=bounds, schema=SCAN_SCHEMA)
        return ordered([*sealed, hot], schema=SCAN_SCHEMA)

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
        """Return events of one type with their payloads as typed columns, from one consistent state."""
        if bucket is not None:
            check_bucket(bucket)
        bounds = Bounds.of(
            start=start, end=end, after=after_position, until_position=until_position, bucket=bucket
        )
        hot, segments = self._snapshot(Topic(topic), bounds)
        typed = typed_columns(topic, in_bucket(hot, bucket))
        if not segments:
            return typed
        schema = PAYLOAD_COLUMNS[topic]
        sealed = read_sealed(self._sealed, segments, bounds=bounds, schema=schema)
        return ordered([*sealed, typed], schema=schema)

    def _is_own_process(self) -> bool:
        return os.getpid() == self._process

    def _require_own_process(self, doing: str) -> None:
        if not self._is_own_process():
            raise StoreUnavailable(
                f"{doing} {self._asked} in process {os.getpid()}",
                found=f"it was opened by process {self._process}, before a fork",
                next_step="open the event log again in this process",
            )

    @abstractmethod
    def append_rows(self, rows: Sequence[EventRow]) -> int:
        """Store rows that are new, in one durable transaction; return how many were."""

    @abstractmethod
    def _snapshot(self, topic: Topic, bounds: Bounds) -> tuple[pa.Table, list[Segment]]:
        """Return the hot rows within the bounds (all buckets, in order) and the type's files, of one moment."""
