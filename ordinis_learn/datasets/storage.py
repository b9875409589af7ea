"""Parquet files on disk or object storage: whole or not there at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, BinaryIO, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from ordinis_learn.records import DatasetFile

__all__ = ["write_parquet"]

UNIQUE: Final = frozenset({"event_id", "signal_id", "order_id"})
"""Columns whose values hardly repeat."""


def write_parquet(table: pa.Table, path: Path) -> DatasetFile:
    """Write one Parquet file; equal rows give equal bytes with one version of pyarrow.

    On disk the file is written beside its place and renamed. An object store shows an object when its upload is
    complete. So a second attempt after a crash, or beside one that still runs, does no harm.

    Parameters
    ----------
    table : pa.Table
        The rows.
    path : Path
        Or a :class:`upath.UPath`; its folder is made when absent.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if getattr(path, "protocol", "") in {"", "file"}:
        partial = path.with_name(f"{path.name}.{uuid4().hex}.partial")
        try:
            written = _write(table, partial, name=path.name)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return written
    return _write(table, path, name=path.name)


def _write(table: pa.Table, path: Path, *, name: str) -> DatasetFile:
    with path.open("wb") as file:
        tee = _HashedFile(file)
        # Without Arrow's own schema, strings come back as strings, whether they were dictionaries here or not.
        pq.write_table(table, tee, store_schema=False, **_encoding(table.schema))
        return DatasetFile(path=name, sha256=tee.digest.hexdigest(), rows=table.num_rows, bytes=tee.size)


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """Choose by column what pays.

    Measured on 282,500 signals: zstd makes 16 columns of doubles 4 % smaller than lz4 and takes twice its time.
    Dictionaries pay for names that repeat; trying them on ids and doubles costs time and is given up.
    """
    floats = {field.name for field in schema if pa.types.is_floating(field.type)}
    return {
        "compression": {name: "lz4" if name in floats else "zstd" for name in schema.names},
        "use_dictionary": [name for name in schema.names if name not in floats | UNIQUE],
    }


class _HashedFile:
    """A file that hashes what is written to it, so that nothing is read back."""

    closed = False

    def __init__(self, file: BinaryIO | Any) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self.size

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.flush()
