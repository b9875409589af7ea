"""Say what changed between two datasets."""

from __future__ import annotations

import pyarrow as pa

from ordinis_learn.datasets.difference import DatasetDifference, difference, row_changes
from ordinis_learn.datasets.store import check_files, read_rows
from ordinis_learn.errors import DataCorrupt, DataMissing
from ordinis_learn.records import DatasetManifest
from ordinis_learn.workbench import Workbench

__all__ = ["compare_datasets"]


def compare_datasets(bench: Workbench, before: str, after: str) -> DatasetDifference:
    """Compare two manifests, and their rows by key where both are of one kind and on disk with their hashes."""
    one, other = bench.catalogue.dataset(before), bench.catalogue.dataset(after)
    if one.kind != other.kind:
        return difference(one, other)
    left, right = _rows(bench, one), _rows(bench, other)
    if left is None or right is None:
        return difference(one, other)
    return difference(one, other, rows=row_changes(left, right, kind=one.kind))


def _rows(bench: Workbench, manifest: DatasetManifest) -> pa.Table | None:
    root = bench.settings.datasets_dir
    try:
        check_files(manifest, root=root)
        return read_rows(manifest, root=root)
    except (DataMissing, DataCorrupt):
        return None
