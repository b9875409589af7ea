"""A dataset's rows from its files, a window of sessions at a time, in the order in which they would be opened whole.

For matrices that do not fit: what is kept of a row are its labels and dates, some 50 bytes; its features pass by. Every
pass reads the files again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.datasets.storage import read_batches
from ordinis_learn.datasets.store import ROW_ORDER, check_files, rejection
from ordinis_learn.errors import ConfigInvalid, DataCorrupt
from ordinis_learn.labelling import FEATURE_PREFIX
from ordinis_learn.records import DatasetManifest

__all__ = ["StreamedFeatures", "StreamedRows"]

_BATCH_ROWS: Final = 65_536
"""Rows that are decoded at a time, over all files together."""


@dataclass(frozen=True, kw_only=True)
class StreamedRows:
    """The rows of an accepted dataset, on disk.

    Attributes
    ----------
    manifest : DatasetManifest
    folder : Path
        Of the version; its files were hashed when this was opened.
    on_disk : bool
        Whether bins are kept on disk too.
    batch_rows : int
    """

    manifest: DatasetManifest
    folder: Path
    on_disk: bool = False
    batch_rows: int = _BATCH_ROWS

    @classmethod
    def open(cls, manifest: DatasetManifest, *, root: Path, on_disk: bool = False) -> StreamedRows:
        """Check a dataset's files.

        Raises
        ------
        DatasetRejected
            The dataset failed its expectations.
        DataCorrupt
            A file is missing or not the one that was written.
        """
        if not manifest.validation.success:
            raise rejection(manifest, asked=f"open dataset {manifest.ref}")
        return cls(manifest=manifest, folder=check_files(manifest, root=root), on_disk=on_disk)

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield every row once, in order of session, symbol, time and id, whole sessions at a time.

        Raises
        ------
        ConfigInvalid
            A file's rows are not in order of session, so that they have to be opened whole.
        """
        files = [file.path for file in self.manifest.files]
        several = len(files) > 1
        read = list(dict.fromkeys([*(ROW_ORDER if several else ("session",)), *columns]))
        with ExitStack() as stack:
            at_once = max(1024, self.batch_rows // max(len(files), 1))
            readers = [
                _Reader(
                    stack.enter_context(read_batches(self.folder / path, columns=read, rows=at_once)),
                    manifest=self.manifest,
                )
                for path in files
            ]
            while live := [reader for reader in readers if reader.fill()]:
                until = min(reader.complete_until for reader in live)
                parts = [part for reader in live if len(part := reader.take(until))]
                if not parts:
                    for reader in live:
                        reader.grow()
                    continue
                whole = pa.concat_tables(parts)
                # One file has the order that it was written in.
                yield whole.sort_by([(name, "ascending") for name in ROW_ORDER]) if several else whole


class _Reader:
    """One file's rows, of which those of finished sessions can be taken."""

    def __init__(self, batches: Iterator[pa.RecordBatch], *, manifest: DatasetManifest) -> None:
        self._batches = batches
        self._manifest = manifest
        self._waiting: pa.Table | None = None
        self._ended = False

    def fill(self) -> bool:
        """Have rows waiting; False where there are none any more."""
        if not self._ended and (self._waiting is None or not len(self._waiting)):
            self.grow()
        return self._waiting is not None and len(self._waiting) > 0

    def grow(self) -> None:
        """Read one batch more."""
        batch = next(self._batches, None)
        if batch is None:
            self._ended = True
            return
        read = pa.Table.from_batches([batch])
        waiting = read if self._waiting is None else pa.concat_tables([self._waiting, read])
        sessions = _days(waiting)
        if np.any(np.diff(sessions) < np.timedelta64(0, "D")):
            raise ConfigInvalid(
                f"stream the rows of {self._manifest.ref}",
                found="rows that are not in order of session",
                next_step="set LEARN_TRAIN_MEMORY_GB to what the dataset takes, or build it again",
            )
        self._waiting = waiting

    @property
    def complete_until(self) -> np.datetime64:
        """The session before which every row of the file has been read."""
        if self._ended:
            return np.datetime64("9999-12-31", "D")
        return np.datetime64(_days(self._table)[-1])

    def take(self, until: np.datetime64) -> pa.Table:
        """Hand over the rows of sessions before a day."""
        count = int(np.searchsorted(_days(self._table), until, side="left"))
        taken, self._waiting = self._table.slice(0, count), self._table.slice(count)
        return taken

    @property
    def _table(self) -> pa.Table:
        if self._waiting is None:
            raise ValueError("nothing was read yet")
        return self._waiting


@dataclass(frozen=True, kw_only=True, eq=False)
class StreamedFeatures:
    """The features of the rows that may be trained on, batch by batch.

    Attributes
    ----------
    rows : StreamedRows
    names : tuple of str
    usable : bool array
        Which of the dataset's rows they are.
    """

    rows: StreamedRows
    names: tuple[str, ...]
    usable: npt.NDArray[np.bool_]

    @property
    def on_disk(self) -> bool:
        """Whether bins are kept on disk."""
        return self.rows.on_disk

    def batches(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield float32 arrays of shape (n, F), together every usable row in order.

        Raises
        ------
        DataCorrupt
            The files have other rows than when they were counted.
        """
        first = 0
        for table in self.rows.tables([FEATURE_PREFIX + name for name in self.names]):
            keep = self.usable[first : first + len(table)]
            first += len(table)
            chosen = table if keep.all() else table.filter(pa.array(keep))
            if len(chosen):
                columns = [chosen[FEATURE_PREFIX + name].to_numpy() for name in self.names]
                yield np.stack(columns, axis=1).astype(np.float32, copy=False)
        if first != len(self.usable):
            raise DataCorrupt(
                f"stream the rows of {self.rows.manifest.ref}",
                found=f"{first} rows where {len(self.usable)} were counted before",
                next_step="let nobody change a dataset's files while they are trained on, and train again",
            )


def _days(table: pa.Table) -> npt.NDArray[np.datetime64]:
    return np.asarray(table["session"].to_numpy()).astype("datetime64[D]")
