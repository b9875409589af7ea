"""Sealed files of events: their format, and how they are read.

A sealed file is Parquet (zstd, page checksums) below ``data/events/``, one per event type, UTC day of
``ts_event``, bucket of the symbols and generation::

    event_type=ordinis.signals.generated/date=2024-01-02/bucket=1-of-4/part-0001.parquet

It holds, ordered by (ts_event, event_id), the envelope's columns (position, event_id, ts_event, ts_ingest,
partition_key, correlation_id), ``envelope`` and ``payload`` (the JSON texts, whole: nothing of an event is
lost), and then the payload's fields as the typed columns of
:data:`~ordinis_learn.capture.columns.PAYLOAD_COLUMNS`, with features as one map of names to doubles (a column
per feature would give files of one day another schema than the next day's). Files never change: events that
come late are sealed into a file of the next generation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ordinis_learn.capture.buckets import in_bucket
from ordinis_learn.capture.columns import PAYLOAD_COLUMNS, SCAN_SCHEMA, to_microseconds
from ordinis_learn.errors import DataCorrupt
from ordinis_learn.ports import HotDay
from ordinis_learn.records import Segment, Topic

__all__ = [
    "SEALED_ENVELOPE",
    "Bounds",
    "day_folder",
    "ordered",
    "read_sealed",
    "sealed_path",
    "sealed_schema",
]

SEALED_ENVELOPE: Final = pa.schema(
    [
        *(SCAN_SCHEMA.field(name) for name in SCAN_SCHEMA.names[:-1]),
        ("envelope", pa.string()),
        ("payload", pa.string()),
    ]
)
"""The columns of a whole event, before its payload's own."""

_INT64_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a reader asked for: ``start <= ts_event < end`` in microseconds, after and up to a position, one bucket."""

    start: int = -_INT64_MAX
    end: int = _INT64_MAX
    after: int = -_INT64_MAX
    position: int = _INT64_MAX
    bucket: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        *,
        start: datetime | None,
        end: datetime | None,
        until_position: int | None,
        after: int | None = None,
        bucket: tuple[int, int] | None = None,
    ) -> Bounds:
        """Return the bounds of a reader's arguments; open where None."""
        return cls(
            start=-_INT64_MAX if start is None else to_microseconds(start),
            end=_INT64_MAX if end is None else to_microseconds(end),
            after=-_INT64_MAX if after is None else after,
            position=_INT64_MAX if until_position is None else until_position,
            bucket=bucket,
        )


def sealed_schema(topic: Topic) -> pa.Schema:
    """Return the columns of a sealed file of one event type."""
    typed = PAYLOAD_COLUMNS[topic]
    return pa.schema([*SEALED_ENVELOPE, *list(typed)[len(SCAN_SCHEMA) - 1 :]])


def day_folder(day: HotDay) -> str:
    """Return the folder of a type's day, below the folder of sealed events."""
    return f"event_type={day.topic.value}/date={day.day}"


def sealed_path(day: HotDay, bucket: int, buckets: int, generation: int) -> str:
    """Return where a file is, below the folder of sealed events."""
    return f"{day_folder(day)}/bucket={bucket}-of-{buckets}/part-{generation:04d}.parquet"


def read_sealed(
    root: Path, segments: Iterable[Segment], *, bounds: Bounds, schema: pa.Schema
) -> Iterator[pa.Table]:
    """Yield the events of each file within the bounds, in the given columns; files outside are not opened.

    Raises
    ------
    DataCorrupt
        A file is not there, cannot be read, or a page of it fails its checksum.
    """
    for segment in segments:
        if _may_hold(segment, bounds):
            events = _read(root / segment.path, columns=schema.names, filters=_filters(segment, bounds))
            if bounds.bucket is not None and segment.buckets % bounds.bucket[1]:
                events = in_bucket(events, bounds.bucket)
            yield events.cast(schema)


def ordered(tables: Sequence[pa.Table], *, schema: pa.Schema) -> pa.Table:
    """Return the rows of several tables ordered by (ts_event, event_id)."""
    together = pa.concat_tables(tables) if tables else schema.empty_table()
    moments = pc.cast(together["ts_event"], pa.int64()).to_numpy()
    if np.all(moments[1:] > moments[:-1]):
        return together
    order = pc.sort_indices(together, sort_keys=[("ts_event", "ascending"), ("event_id", "ascending")])
    return together.take(order)


def _may_hold(segment: Segment, bounds: Bounds) -> bool:
    first, last = to_microseconds(segment.first), to_microseconds(segment.last)
    if last < bounds.start or first >= bounds.end:
        return False
    if segment.first_position > bounds.position or segment.last_position <= bounds.after:
        return False
    if bounds.bucket is None:
        return True
    number, buckets = bounds.bucket
    return (segment.bucket - number) % math.gcd(segment.buckets, buckets) == 0


def _filters(segment: Segment, bounds: Bounds) -> list[tuple[str, str, Any]] | None:
    moment = pa.timestamp("us", tz="UTC")
    filters: list[tuple[str, str, Any]] = []
    if to_microseconds(segment.first) < bounds.start:
        filters.append(("ts_event", ">=", pa.scalar(bounds.start, moment)))
    if to_microseconds(segment.last) >= bounds.end:
        filters.append(("ts_event", "<", pa.scalar(bounds.end, moment)))
    if segment.last_position > bounds.position:
        filters.append(("position", "<=", bounds.position))
    if segment.first_position <= bounds.after:
        filters.append(("position", ">", bounds.after))
    return filters or None


def _read(path: Path, *, columns: list[str], filters: Any) -> pa.Table:
    try:
        return pq.read_table(
            path, columns=columns, filters=filters, partitioning=None, page_checksum_verification=True
        )
    except (OSError, pa.ArrowException) as error:
        raise DataCorrupt(
            f"read the sealed events {path}",
            found=str(error).splitlines()[0],
            next_step="ordinis-learn events verify names every damaged file; restore them from a backup",
        ) from error
