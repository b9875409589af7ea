"""Hot rows out of SQLite as Arrow columns, many of them at a fetch.

A row that Python fetches costs eight objects and then eight conversions, more than SQLite needs to find it.
So SQLite joins the values of thousands of rows into one text per column, with NUL between them, and the
columns are cut from these texts without looking at a row: four times as fast, and without Python's lock, so
that other threads go on. What does not fit that (a text with a NUL of its own, a crowd of events at one
moment, texts of hundreds of megabytes) is fetched row by row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ordinis_learn.capture.columns import DAY_US
from ordinis_learn.capture.sealed import SEALED_ENVELOPE, Bounds, ordered
from ordinis_learn.errors import DataCorrupt
from ordinis_learn.records import Topic

__all__ = ["UNPURGED", "hot_batches", "row_batches"]

_FIRST_ROWS: Final = 1 << 9
_MOST_ROWS: Final = 1 << 11
_BATCH_BYTES: Final = 1 << 22
_JOINED_BYTES: Final = 1 << 26
_ODD_ROWS: Final = 1 << 8

UNPURGED: Final = f"""NOT EXISTS (
    SELECT 1 FROM purges WHERE purges.event_type = events.event_type AND events.position <= until_position
    AND events.ts_event >= purges.start AND events.ts_event < purges.start + {DAY_US})"""  # noqa: S608  all constants
"""Which rows of ``events`` readers still see."""

_WITHIN: Final = f"""FROM events
    WHERE event_type = :event_type AND ts_event >= :start AND ts_event < :end AND position <= :position
    AND {UNPURGED}"""
_ROWS: Final = f"SELECT {', '.join(SEALED_ENVELOPE.names)} {_WITHIN} ORDER BY ts_event, event_id"
_TEXTS: Final = frozenset(field.name for field in SEALED_ENVELOPE if field.type == pa.string())
_JOINED: Final = "SELECT {} {}".format(
    ", ".join(
        f"group_concat({name}, char(0))" if name in _TEXTS else f"group_concat({name})"
        for name in SEALED_ENVELOPE.names
    ),
    _WITHIN,
)
# The moment up to which there are so many events, by the index alone.
_NEXT: Final = """SELECT ts_event FROM events WHERE event_type = :event_type AND ts_event >= :start
    AND ts_event < :end ORDER BY ts_event LIMIT 1 OFFSET :rows"""
_CROWD: Final = """SELECT count(*) FROM events WHERE event_type = :event_type AND ts_event >= :start
    AND ts_event < :end"""


def hot_batches(connection: sqlite3.Connection, topic: Topic, bounds: Bounds) -> Iterator[pa.RecordBatch]:
    """Yield hot events within bounds, ordered by (ts_event, event_id), in the columns of ``SEALED_ENVELOPE``.

    The connection is the caller's for this alone. Each batch is a statement of its own: a long reading keeps
    no old state of the file alive. Rows that come or go meanwhile must lie outside the bounds.

    Raises
    ------
    DataCorrupt
        A stored text is not UTF-8.
    """
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _JOINED_BYTES)
    start: int | None = bounds.start
    rows = _FIRST_ROWS
    while start is not None:
        named = {"event_type": topic.value, "start": start, "end": bounds.end, "position": bounds.position}
        until = _until(connection, named, rows)
        named["end"] = bounds.end if until is None else until
        size = 0
        for batch in _between(connection, named):
            size = batch.nbytes // batch.num_rows
            yield batch
        rows = min(_MOST_ROWS, max(1, _BATCH_BYTES // size)) if size else _MOST_ROWS
        start = until


def row_batches(cursor: sqlite3.Cursor, schema: pa.Schema, *, size: int) -> Iterator[pa.RecordBatch]:
    """Yield what a cursor gives, so many rows at a time."""
    while rows := cursor.fetchmany(size):
        columns = zip(*rows, strict=True)
        arrays = [pa.array(values, type=field.type) for values, field in zip(columns, schema, strict=True)]
        yield pa.record_batch(arrays, schema=schema)


def _until(connection: sqlite3.Connection, named: dict[str, Any], rows: int) -> int | None:
    """Return the moment before which a fetch ends, None for the last one; moments are not parted."""
    found = connection.execute(_NEXT, named | {"rows": rows}).fetchone()
    if found is None:
        return None
    until = int(found[0])
    return until if until > named["start"] else until + 1


def _between(connection: sqlite3.Connection, named: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    joined = _joined(connection, named)
    if joined is not None:
        yield from joined
        return
    connection.text_factory = str
    yield from row_batches(connection.execute(_ROWS, named), SEALED_ENVELOPE, size=_ODD_ROWS)


def _joined(connection: sqlite3.Connection, named: dict[str, Any]) -> list[pa.RecordBatch] | None:
    """Return the events of a fetch, None where they have to be fetched row by row."""
    if connection.execute(_CROWD, named).fetchone()[0] > _MOST_ROWS:
        return None
    connection.text_factory = bytes
    try:
        found = connection.execute(_JOINED, named).fetchone()
    except sqlite3.DataError:  # together they are longer than a text may be
        return None
    if found[0] is None:
        return []
    columns = _columns(found)
    if columns is None:
        return None
    table = ordered([pa.Table.from_arrays(columns, schema=SEALED_ENVELOPE)], schema=SEALED_ENVELOPE)
    return list(table.combine_chunks().to_batches())


def _columns(joined: tuple[bytes, ...]) -> list[pa.Array] | None:
    rows = joined[0].count(b",") + 1
    columns: list[pa.Array] = []
    for text, field in zip(joined, SEALED_ENVELOPE, strict=True):
        column = _texts(text, rows) if field.name in _TEXTS else _numbers(text).cast(field.type)
        if column is None:
            return None
        columns.append(column)
    return columns


def _numbers(joined: bytes) -> pa.Array:
    return pa.array(np.fromstring(joined, dtype=np.int64, sep=","))


def _texts(joined: bytes, rows: int) -> pa.Array | None:
    """Cut a text at its NULs: pieces and NULs are one array, of which every other is taken."""
    cuts = np.flatnonzero(np.frombuffer(joined, dtype=np.uint8) == 0)
    if cuts.size != rows - 1:
        return None
    offsets = np.empty(2 * rows, dtype=np.int32)
    offsets[0], offsets[-1] = 0, len(joined)
    offsets[1:-1:2], offsets[2:-1:2] = cuts, cuts + 1
    pieces = pa.StringArray.from_buffers(2 * rows - 1, pa.py_buffer(offsets), pa.py_buffer(joined))
    taken = pieces.take(pa.array(np.arange(0, 2 * rows - 1, 2)))
    try:
        taken.validate(full=True)
    except pa.ArrowInvalid as error:
        raise DataCorrupt(
            "read hot events",
            found=f"a stored text is not UTF-8: {error}",
            next_step="compare the event log with a backup",
        ) from error
    return taken
