"""What every log in a database does alike: it reads sealed and hot events as one table."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.capture.buckets import check_bucket, in_bucket
from ordinis_learn.capture.columns import PAYLOAD_COLUMNS, SCAN_SCHEMA, to_microseconds
from ordinis_learn.capture.payload_columns import typed_columns
from ordinis_learn.capture.rows import row_of
from ordinis_learn.capture.sealed import SEALED_ENVELOPE, Bounds, ordered, read_sealed
from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.ports import EventRow
from ordinis_learn.records import Envelope, Segment, Topic

__all__ = ["DatabaseLog", "newest_columns"]

_ENVELOPES: Final = pa.schema([SEALED_ENVELOPE.field(name) for name in ("event_id", "ts_event", "envelope")])


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

    def envelopes(
        self, topic: Topic, *, start: datetime | None = None, end: datetime | None = None, limit: int
    ) -> Sequence[str]:
        """Return the envelope texts of the newest events of a span: the hot ones, then the newest sealed files."""
        bounds = Bounds.of(start=start, end=end, until_position=None)
        hot, segments = self._newest(Topic(topic), bounds, limit)
        tables = [pa.table({name: list(column) for name, column in hot.items()}, schema=_ENVELOPES)]
        for segment in sorted(segments, key=lambda one: one.last, reverse=True):
            known = sum(table.num_rows for table in tables)
            if known >= limit and to_microseconds(segment.last) < _oldest(tables, limit):
                break
            tables.extend(read_sealed(self._sealed, [segment], bounds=bounds, schema=_ENVELOPES))
        together = ordered(tables, schema=_ENVELOPES)["envelope"]
        return [str(text) for text in together.slice(max(len(together) - limit, 0)).to_pylist()]

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
    def _newest(
        self, topic: Topic, bounds: Bounds, limit: int
    ) -> tuple[Mapping[str, Sequence[Any]], list[Segment]]:
        """Return the columns of ``_ENVELOPES`` of the newest hot rows and the type's files, of one moment."""

    @abstractmethod
    def _snapshot(self, topic: Topic, bounds: Bounds) -> tuple[pa.Table, list[Segment]]:
        """Return the hot rows within the bounds (all buckets, in order) and the type's files, of one moment."""


def newest_columns(rows: Sequence[tuple[str, int, str]]) -> Mapping[str, Sequence[Any]]:
    """Return rows (event_id, microseconds, envelope) as columns."""
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return dict(zip(_ENVELOPES.names, columns, strict=True))


def _oldest(tables: Sequence[pa.Table], limit: int) -> int:
    """Return the moment (microseconds) that an event must reach to be among the newest ``limit``."""
    moments = pc.cast(pa.concat_tables(tables)["ts_event"], pa.int64()).to_numpy()
    return int(np.partition(moments, len(moments) - limit)[len(moments) - limit])
