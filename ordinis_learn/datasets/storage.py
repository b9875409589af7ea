"""Parquet files on disk or object storage: whole or not there at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from ordinis_learn.records import DatasetFile

__all__ = ["write_parquet"]


def write_parquet(table: pa.Table, path: Path) -> DatasetFile:
    """Write one Parquet file (zstd); equal rows give equal bytes with one version of pyarrow.

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
    # Dictionaries pay for names that repeat. Numbers and ids hardly do, and trying costs a third of the time.
    repeated = [field.name for field in table.schema if _repeats(field)]
    with path.open("wb") as file:
        tee = _HashedFile(file)
        pq.write_table(table, tee, compression="zstd", use_dictionary=repeated)
        return DatasetFile(path=name, sha256=tee.digest.hexdigest(), rows=table.num_rows, bytes=tee.size)


def _repeats(field: pa.Field) -> bool:
    return not pa.types.is_floating(field.type) and not field.name.endswith("_id") or field.name in {
        "model_id",
        "strategy_id",
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
