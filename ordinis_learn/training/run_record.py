"""What every training run records of itself, whatever it trains."""

from __future__ import annotations

from pathlib import Path

from ordinis_learn.datasets.store import REPORT_FILE
from ordinis_learn.ports import Run
from ordinis_learn.records import DECLARED, DatasetManifest, file_sha256
from ordinis_learn.training.provenance import Provenance

__all__ = ["log_dataset", "log_patch", "run_tags"]


def run_tags(
    *, model_type: str, config_hash: str, seed: int, manifest: DatasetManifest | None, provenance: Provenance
) -> dict[str, str]:
    """Return the tags by which a run is found again."""
    tags = {
        "ordinis.model_type": model_type,
        "ordinis.config_hash": config_hash,
        "ordinis.code_commit": provenance.code_commit,
        "ordinis.code_dirty": str(provenance.code_dirty).lower(),
        "ordinis.env_hash": provenance.env_hash,
        "ordinis.seed": str(seed),
        "ordinis.dataset": DECLARED if manifest is None else manifest.ref,
    }
    return tags if manifest is None else tags | {"ordinis.dataset_sha256": manifest.content_sha256}


def log_dataset(run: Run, manifest: DatasetManifest, *, folder: Path) -> None:
    """Record the dataset input, and its report where there is one."""
    run.log_dataset(manifest, folder=folder)
    report = folder / REPORT_FILE
    if report.is_file():
        run.log_file(report, folder="dataset")


def log_patch(run: Run, provenance: Provenance, *, scratch: Path) -> None:
    """Keep what differs from the commit, with its hash as a tag; nothing for a clean checkout."""
    if not provenance.dirty_patch:
        return
    path = scratch / "dirty.patch"
    path.write_text(provenance.dirty_patch, encoding="utf-8")
    run.log_file(path, folder="provenance")
    run.set_tags({"ordinis.patch_sha256": file_sha256(path)})
