"""Whether a dataset on disk is still what its manifest says, down to every value."""

from __future__ import annotations

from pathlib import Path

from ordinis_learn.datasets.content import bucketed_sha256, column_types, content_sha256
from ordinis_learn.datasets.store import check_files, published, read_rows
from ordinis_learn.errors import DataCorrupt
from ordinis_learn.records import DatasetManifest

__all__ = ["verify_dataset"]


def verify_dataset(manifest: DatasetManifest, *, root: Path) -> list[str]:
    """Recompute every hash of a version; return one sentence per fault, nothing where all holds.

    Parameters
    ----------
    manifest : DatasetManifest
        As the governance database remembers it.
    root : Path
        Where datasets lie.

    Raises
    ------
    DataMissing
        The rows were pruned: there is nothing left to verify but the manifest.
    """
    folder = root / manifest.dataset_id / manifest.version
    faults: list[str] = []
    try:
        stored = published(root, dataset_id=manifest.dataset_id, version=manifest.version)
        if stored is None:
            return [f"{folder} is missing"]
        if stored != manifest:
            faults.append(f"{folder}/manifest.json differs from what the governance database remembers")
        check_files(manifest, root=root)
        table = read_rows(manifest, root=root)
    except DataCorrupt as error:
        return [*faults, error.found]
    if table.num_rows != manifest.rows:
        faults.append(f"{table.num_rows} rows, the manifest says {manifest.rows}")
    if column_types(table) != manifest.columns:
        faults.append("the columns or their types are not those of the manifest")
    hashed = bucketed_sha256 if manifest.kind == "signal" else content_sha256
    if hashed(table) != manifest.content_sha256:
        faults.append("the rows do not hash to the manifest's content_sha256")
    if not manifest.content_sha256.startswith(manifest.version):
        faults.append("the version is not the beginning of content_sha256")
    return faults
