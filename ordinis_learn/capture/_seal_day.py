"""One day's events as Parquet files, a bounded number of rows at a time."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ordinis_learn.capture.buckets import bucket_of
from ordinis_learn.capture.columns import SCAN_SCHEMA
from ordinis_learn.capture.payload_columns import typed_columns
from ordinis_learn.capture.read_ahead import read_ahead
from ordinis_learn.capture.sealed import sealed_path, sealed_schema
from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.ports import HotDay
from ordinis_learn.records import Segment, file_sha256

__all__ = ["claim_folder", "write_day"]

# Every value differs there, so a dictionary would only cost.
_DISTINCT: Final = frozenset({"event_id", "correlation_id", "envelope", "payload", "signal_id", "order_id"})
_GATHERED_BYTES: Final = 1 << 24
_INT64_MAX: Final = (1 << 63) - 1


class _Part:
    """One bucket's file while it is written, and what is to be remembered of it."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.temporary = path.with_name(f".{path.name}.unfinished")
        self.rows = 0
        self.first: Any = None
        self.last: Any = None
        self.positions = (_INT64_MAX, 0)
        self._writer = pq.ParquetWriter(
            self.temporary,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=_repeating(schema),
            write_page_checksum=True,
        )

    def write(self, events: pa.Table) -> None:
        """Add rows that come after those before."""
        self._writer.write_table(events)
        self.rows += events.num_rows
        self.first = self.first or events["ts_event"][0].as_py()
        self.last = events["ts_event"][-1].as_py()
        low, high = pc.min_max(events["position"]).as_py().values()
        self.positions = (min(low, self.positions[0]), max(high, self.positions[1]))

    def close(self) -> None:
        """End the file; calling again does nothing."""
        self._writer.close()

    def publish(self) -> None:
        """Give the file its name, after its bytes are on disk and before its folder's entry is."""
        _sync(self.temporary)
        self.temporary.replace(self.path)

    def segment(
        self, day: HotDay, *, log_id: str, path: str, bucket: int, buckets: int, generation: int
    ) -> Segment:
        """Return what is to be remembered."""
        low, high = self.positions
        return Segment(
            log_id=log_id,
            event_type=day.topic,
            day=day.day,
            bucket=bucket,
            buckets=buckets,
            generation=generation,
            path=path,
            rows=self.rows,
            bytes=self.path.stat().st_size,
            sha256=file_sha256(self.path),
            first=self.first,
            last=self.last,
            first_position=low,
            last_position=high,
            until_position=day.until_position,
        )


def claim_folder(root: Path, *, identity: str) -> None:
    """Make the folder one log's own: another log's files would look like leftovers to its sealer.

    Raises
    ------
    ConfigInvalid
        The folder belongs to another log.
    StoreUnavailable
        It cannot be written.
    """
    owner = root / ".log"
    with _translated(root):
        if not owner.exists():
            root.mkdir(parents=True, exist_ok=True)
            unfinished = root / ".log.unfinished"
            unfinished.write_text(identity, encoding="ascii")
            _sync(unfinished)
            unfinished.replace(owner)
            _sync(root)
        found = owner.read_text(encoding="ascii")
    if found != identity:
        raise ConfigInvalid(
            f"seal events into {root}",
            found="the folder belongs to another event log",
            next_step="set ORDINIS_HOME to a folder of its own for this log, or LEARN_EVENTS_URL back",
        )


def write_day(
    root: Path,
    day: HotDay,
    batches: Iterator[pa.RecordBatch],
    *,
    log_id: str,
    buckets: int,
    generation: int,
) -> list[Segment]:
    """Write a day's files, each first under another name, and return what is to be remembered of them.

    When this returns the files are on disk under their names; no reader looks at them yet. A file that an
    interrupted attempt left is overwritten or removed.

    Raises
    ------
    StoreUnavailable
        The disk is full or cannot be written; unfinished files were removed.
    """
    schema = sealed_schema(day.topic)
    parts: dict[int, _Part] = {}
    with _translated(root), closing(_read_day(day, batches, schema)) as reading, ExitStack() as unfinished:
        for rows in reading:
            for bucket, events in _by_bucket(rows, buckets):
                if bucket not in parts:
                    part = _Part(root / sealed_path(day, bucket, buckets, generation), schema)
                    unfinished.callback(part.temporary.unlink, missing_ok=True)
                    unfinished.callback(part.close)
                    parts[bucket] = part
                parts[bucket].write(events)
        for part in parts.values():
            part.close()
            part.publish()
        for folder in sorted({part.path.parent for part in parts.values()}):
            _sync_up_to(root, folder)
        return [
            part.segment(
                day,
                log_id=log_id,
                path=sealed_path(day, bucket, buckets, generation),
                bucket=bucket,
                buckets=buckets,
                generation=generation,
            )
            for bucket, part in sorted(parts.items())
        ]


def _read_day(day: HotDay, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Generator[pa.Table]:
    """Yield a day's events with their typed columns; reading, parsing and what the caller does go on side by side."""
    with (
        closing(read_ahead(_gathered(batches))) as gathered,
        closing(read_ahead(_with_columns(day, events, schema) for events in gathered)) as typed,
    ):
        yield from typed


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Put batches together: reading payloads as columns, and a row group of Parquet, each have a price of their own."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= _GATHERED_BYTES:
            yield pa.Table.from_batches(held).combine_chunks()
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def _with_columns(day: HotDay, events: pa.Table, schema: pa.Schema) -> pa.Table:
    typed = typed_columns(day.topic, events.select(SCAN_SCHEMA.names))
    for name in schema.names[events.num_columns :]:
        events = events.append_column(schema.field(name), typed[name])
    return events


def _by_bucket(events: pa.Table, buckets: int) -> Iterator[tuple[int, pa.Table]]:
    keys = pc.unique(events["partition_key"])
    numbers = np.array([bucket_of(key, buckets=buckets) for key in keys.to_pylist()])
    bucket = numbers[pc.index_in(events["partition_key"], value_set=keys).to_numpy()]
    for number in np.unique(bucket):
        yield int(number), events.take(np.flatnonzero(bucket == number))


def _repeating(schema: pa.Schema) -> list[str]:
    plain = [one.name for one in schema if pa.types.is_string(one.type) and one.name not in _DISTINCT]
    return [*plain, "features.key_value.key"] if "features" in schema.names else plain


@contextmanager
def _translated(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"seal events into {root}",
            found=str(error),
            next_step=f"make room on the disk of {root} and seal again; nothing was lost",
        ) from error


def _sync_up_to(root: Path, folder: Path) -> None:
    """Put the entries of a folder and of every folder above it, up to the root's own, on disk."""
    for one in (folder, *folder.parents):
        _sync(one)
        if one == root.parent:
            return


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
