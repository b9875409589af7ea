"""The identity of a table: a hash of its values, whatever file format or chunking they come in.

Two formats. All integers are little-endian; JSON is RFC 8785; types have Arrow's names.

*Column bytes* of some rows are, per column in order: validity, then the values in row order. Validity is one byte
per row (1 = a value, 0 = null). Integers, floats, dates and timestamps take their own width (booleans one byte), with
zero bits for null and one bit pattern for NaN. Strings are n lengths in bytes (int64, 0 for null), then all UTF-8 bytes.

``ordinis.dataset.content.v1``, for tables whose order of rows is their own, is SHA-256 over

1. the ASCII bytes ``ordinis.dataset.content.v1`` and a zero byte;
2. the JSON of ``{"columns": [[name, type], ...], "rows": n}`` and a zero byte;
3. the column bytes of all rows.

``ordinis.dataset.content.v2``, for signals, does not depend on how the rows were shared out among files, processes
or machines. Every row belongs to one of 256 leaves, by :func:`~ordinis_learn.capture.bucket_of` its symbol; within a
leaf, rows are in canonical order (:func:`~ordinis_learn.labelling.label_columns`). It is SHA-256 over

1. the ASCII bytes ``ordinis.dataset.content.v2`` and a zero byte;
2. the JSON of ``{"columns": [[name, type], ...], "leaves": [[leaf, rows, sha256], ...], "rows": n}``: the leaves that
   have rows, by number, each with the hex SHA-256 over ``ordinis.dataset.leaf.v2``, a zero byte and its column bytes.
   Here a column's validity begins with one byte: ``A`` (all values: nothing more about validity), ``N`` (all null:
   nothing more about the column), ``M`` (mixed: one byte per row), or for strings ``C`` (one value on all rows: its
   length and bytes follow, and nothing more).

MLflow's own digest of a dataset covers its first 10,000 rows and no timestamps; these cover everything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.capture import bucket_of
from ordinis_learn.records import canonical_json

__all__ = [
    "LEAVES",
    "Leaf",
    "bucketed_sha256",
    "column_types",
    "content_sha256",
    "hash_leaves",
    "leaf_of",
    "leaves_sha256",
]

LEAVES: Final = 256
"""How many parts a signal dataset is hashed in; a number of buckets divides it."""

_FORMAT: Final = b"ordinis.dataset.content.v1\x00"
_BUCKETED: Final = b"ordinis.dataset.content.v2\x00"
_LEAF: Final = b"ordinis.dataset.leaf.v2\x00"
_LENGTH_BYTES: Final = 8

Ints = npt.NDArray[np.int64]


class _Digest(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """The rows of a dataset whose symbols fall into one of :data:`LEAVES` parts."""

    rows: int
    sha256: str


def column_types(table: pa.Table) -> dict[str, str]:
    """Return each column's Arrow type name, in column order; that of its values for a dictionary."""
    return {field.name: str(_plain_type(field.type)) for field in table.schema}


def content_sha256(table: pa.Table) -> str:
    """Return the hex SHA-256 of all values of all rows, in order, with the schema (format v1).

    Examples
    --------
    >>> whole = pa.table({"x": [1.0, None, 3.0], "s": ["a", "", None]})
    >>> chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    >>> content_sha256(whole) == content_sha256(chunked)
    True
    >>> content_sha256(whole) == content_sha256(whole.take([0, 2, 1]))
    False
    """
    digest = hashlib.sha256(_FORMAT)
    header = {"columns": [list(item) for item in column_types(table).items()], "rows": table.num_rows}
    digest.update(canonical_json(header) + b"\x00")
    for column in table.columns:
        for piece in _pieces(_whole(column)):
            digest.update(piece.of(0, table.num_rows))
    return digest.hexdigest()


def bucketed_sha256(table: pa.Table) -> str:
    """Return the hex SHA-256 of a signal table in canonical order (format v2).

    Examples
    --------
    Where rows of one leaf keep their order, the others may lie anywhere:

    >>> rows = pa.table({"symbol": ["KO", "PEP", "KO"], "x": [1.0, 2.0, 3.0]})
    >>> bucketed_sha256(rows) == bucketed_sha256(rows.take([1, 0, 2]))
    True
    >>> bucketed_sha256(rows) == bucketed_sha256(rows.take([2, 1, 0]))
    False
    """
    return leaves_sha256(hash_leaves(table), columns=column_types(table))


def leaf_of(symbols: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    """Return the leaf of each row's symbol."""
    whole = _whole(symbols)
    named = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    leaves = [bucket_of(symbol, buckets=LEAVES) for symbol in named.dictionary.to_pylist()]
    found: npt.NDArray[np.uint8] = np.array(leaves, dtype=np.uint8).take(np.asarray(named.indices))
    return found


def hash_leaves(table: pa.Table) -> dict[int, Leaf]:
    """Return the leaves of a signal table in canonical order, or of a part of it that has whole leaves."""
    leaf = leaf_of(table["symbol"])
    numbers, counts = np.unique(leaf, return_counts=True)
    stops = np.cumsum(counts).tolist()
    spans = list(zip([0, *stops][:-1], stops, strict=True))
    rows = None if (leaf[1:] >= leaf[:-1]).all() else pa.array(np.argsort(leaf, kind="stable"))
    digests = [hashlib.sha256(_LEAF) for _ in spans]
    for column in table.columns:
        values = _whole(column)
        if values.null_count == len(values):
            for digest in digests:
                digest.update(b"N")
            continue
        validity, *pieces = _pieces(values if rows is None else values.take(rows))
        for digest, (start, stop) in zip(digests, spans, strict=True):
            _update(
                digest,
                validity=bytes(validity.of(start, stop)),
                values=[one.of(start, stop) for one in pieces],
            )
    found = zip(numbers.tolist(), counts.tolist(), digests, strict=True)
    return {number: Leaf(rows=count, sha256=digest.hexdigest()) for number, count, digest in found}


def _update(digest: _Digest, *, validity: bytes, values: Sequence[memoryview]) -> None:
    if b"\x01" not in validity:
        digest.update(b"N")
        return
    if b"\x00" in validity:
        digest.update(b"M" + validity)
    elif len(values) > 1 and (one := _constant(*values, rows=len(validity))) is not None:
        digest.update(b"C" + one)
        return
    else:
        digest.update(b"A")
    for piece in values:
        digest.update(piece)


def _constant(lengths: memoryview, text: memoryview, *, rows: int) -> bytes | None:
    """Return the length and the bytes of strings that are all the same; None where they are not."""
    first = bytes(lengths[:_LENGTH_BYTES])
    size = int.from_bytes(first, "little")
    # The second string tells about nearly every column that is not constant.
    if size * rows != len(text) or (rows > 1 and bytes(text[:size]) != bytes(text[size : 2 * size])):
        return None
    one = bytes(text[:size])
    # As bytes: a memoryview is compared element by element.
    return first + one if bytes(text) == one * rows and bytes(lengths) == first * rows else None


def leaves_sha256(leaves: Mapping[int, Leaf], *, columns: Mapping[str, str]) -> str:
    """Return the hash of a signal dataset from those of its leaves."""
    listed = [[number, leaf.rows, leaf.sha256] for number, leaf in sorted(leaves.items())]
    rows = sum(leaf.rows for leaf in leaves.values())
    document = {"columns": [list(item) for item in columns.items()], "leaves": listed, "rows": rows}
    return hashlib.sha256(_BUCKETED + canonical_json(document)).hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Piece:
    """Bytes of a run of rows, and where in them each row begins: an array, or one width for all."""

    data: memoryview
    begins: Ints | int

    def of(self, start: int, stop: int) -> memoryview:
        if isinstance(self.begins, int):
            return self.data[start * self.begins : stop * self.begins]
        return self.data[int(self.begins[start]) : int(self.begins[stop])]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _pieces(values: pa.Array) -> Iterator[_Piece]:
    values = values.cast(_plain_type(values.type))
    known = not values.null_count
    valid = np.ones(len(values), dtype=np.uint8) if known else np.asarray(values.is_valid(), dtype=np.uint8)
    yield _Piece(data=valid.data, begins=1)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        text = pc.fill_null(values, "").cast(pa.large_string())
        lengths = np.asarray(pc.binary_length(text), dtype="<i8")
        yield _Piece(data=lengths.view(np.uint8).data, begins=8)
        begins = np.frombuffer(text.buffers()[1], dtype=np.int64)[text.offset : text.offset + len(text) + 1]
        yield _Piece(data=memoryview(text.buffers()[2] or b""), begins=begins)
        return
    plain = np.ascontiguousarray(_fixed_width(values))
    yield _Piece(data=plain.view(np.uint8).data, begins=plain.itemsize)


def _fixed_width(values: pa.Array) -> npt.NDArray[np.generic]:
    kind = values.type
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        values = values.cast(pa.int64())
    elif pa.types.is_date32(kind):
        values = values.cast(pa.int32())
    elif pa.types.is_boolean(kind):
        values = values.cast(pa.uint8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise TypeError(
            f"a column of type {kind} has no canonical bytes; use numbers, times, booleans or strings"
        )
    if values.null_count:
        values = pc.fill_null(values, pa.scalar(0, values.type))
    plain = values.to_numpy(zero_copy_only=False)
    if pa.types.is_floating(kind):
        unset = np.isnan(plain)
        if unset.any():
            plain = np.where(unset, plain.dtype.type(np.nan), plain)
    return np.asarray(plain.astype(plain.dtype.newbyteorder("<"), copy=False))
