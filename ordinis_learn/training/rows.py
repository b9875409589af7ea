"""Open a dataset's rows for training: whole where they fit, else as a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

from ordinis_learn.datasets import open_dataset
from ordinis_learn.records import DatasetManifest
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.streamed import StreamedRows

__all__ = ["open_rows", "takes_bytes"]

_GIB: Final = 2**30
_WHOLE: Final = 19
"""Bytes a feature and row when everything is in memory: 8 as read, 4 as float32, up to 4 as the copy of a fold, 3 in bins."""
_BINNED: Final = 3
"""Of them, what is left when rows are streamed: one fold's bins, and those of its test rows."""


def takes_bytes(manifest: DatasetManifest, *, streamed: bool) -> int:
    """Estimate what the features of a dataset take in memory while trees are fitted, in bytes."""
    return manifest.rows * len(manifest.feature_names) * (_BINNED if streamed else _WHOLE)


def open_rows(
    manifest: DatasetManifest, *, config: TrainConfig, root: Path, memory_gb: float
) -> pa.Table | StreamedRows:
    """Return the rows of an accepted dataset.

    Trees are fitted on a stream where the whole would take more than ``memory_gb`` GiB, and with bins on disk where even
    those would. The model's bytes are the same. Networks need the rows whole, whatever they take.

    Raises
    ------
    DatasetRejected
        The dataset failed its expectations.
    DataMissing
        Its rows were pruned.
    DataCorrupt
        A file is missing, unreadable or not the one that was written.
    """
    limit = memory_gb * _GIB
    if config.model != "xgboost" or takes_bytes(manifest, streamed=False) <= limit:
        return open_dataset(manifest, root=root)
    return StreamedRows.open(manifest, root=root, on_disk=takes_bytes(manifest, streamed=True) > limit)
