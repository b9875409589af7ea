"""What a model's recent rows are compared with, made once and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.datasets import FEATURE_PREFIX, open_dataset
from ordinis_learn.datasets.history import history_reaches, with_history
from ordinis_learn.drift import DriftReference, Scores, build_reference, load_reference, save_reference
from ordinis_learn.errors import DataMissing
from ordinis_learn.models import SignalModel, load_bundle
from ordinis_learn.records import DECLARED, DatasetManifest, ModelArtifact
from ordinis_learn.workbench import Workbench

__all__ = ["drift_reference", "forecast_horizon", "reference_manifest", "score", "seen_by"]


def reference_manifest(bench: Workbench, artifact: ModelArtifact, dataset: str | None) -> DatasetManifest:
    """Return the manifest of the dataset named, or of the one that the version was trained on.

    Raises
    ------
    DataMissing
        A declared model was trained on nothing and no dataset is named.
    """
    ref = dataset or artifact.data_snapshot_ref
    if ref == DECLARED:
        raise DataMissing(
            f"check the drift of {artifact.name} v{artifact.version}",
            found="its parameters were declared, so it has no training data to compare with",
            next_step="name a reference: --dataset sp500_core, or LEARN_DRIFT_DATASET for the daily check",
        )
    return bench.catalogue.dataset(ref)


def drift_reference(bench: Workbench, artifact: ModelArtifact, manifest: DatasetManifest) -> DriftReference:
    """Return the reference of a version against a dataset; made from its rows the first time, kept afterwards.

    It is kept by what it was made from (artifact and rows), so another version never meets a stale one, and it outlives
    the rows: retention may remove them, drift is still measured.

    Raises
    ------
    DataMissing
        The rows are gone and no reference was kept.
    """
    path = _path(bench, artifact, manifest)
    kept = load_reference(path)
    if kept is not None and kept.content_sha256 == manifest.content_sha256:
        return kept
    table = open_dataset(manifest, root=bench.settings.datasets_dir)
    model = load_bundle(bench.registry.local_path(artifact.name, artifact.version))
    table = seen_by(model, table, manifest=manifest)
    said = score(model, table, horizon=forecast_horizon(model, manifest))
    reference = build_reference(table, manifest=manifest, prediction=said.prediction)
    save_reference(reference, path)
    return reference


def forecast_horizon(model: SignalModel, manifest: DatasetManifest) -> int:
    """Return the dataset's horizon that is nearest to the model's own."""
    return min(
        manifest.window.horizons, key=lambda sessions: (abs(sessions - model.horizon_sessions), sessions)
    )


def seen_by(model: SignalModel, rows: pa.Table, *, manifest: DatasetManifest) -> pa.Table:
    """Return the rows with the columns that a model reads, without those whose history reaches back beyond the rows.

    On these the model says nothing, which is no drift of it. For a model of one session these are all rows, as they are.
    """
    calendar = manifest.window.calendar
    reaches = history_reaches(rows, model.feature_names, calendar=calendar)
    if reaches.all():
        return with_history(rows, model.feature_names, calendar=calendar)
    return with_history(rows, model.feature_names, calendar=calendar).filter(pa.array(reaches))


def score(model: SignalModel, rows: pa.Table, *, horizon: int) -> Scores:
    """Ask the model about rows; the outcome is what following its direction earned, before costs."""
    said = model.predict(np.column_stack([_column(rows, name) for name in model.feature_names]))
    came = rows[f"fwd_ret_{horizon}d"].to_numpy().astype(np.float64)
    return Scores(
        prediction=(said.direction * said.confidence).astype(np.float64),
        confidence=said.confidence,
        outcome=said.direction * came,
        forward_return=came,
    )


def _path(bench: Workbench, artifact: ModelArtifact, manifest: DatasetManifest) -> Path:
    made_from = f"{artifact.artifact_sha256[:16]}-{manifest.content_sha256[:16]}"
    return bench.settings.drift_dir / "references" / f"{made_from}.safetensors"


def _column(rows: pa.Table, feature: str) -> npt.NDArray[np.float64]:
    """Return a feature's values; one that vanished is missing in every row."""
    name = FEATURE_PREFIX + feature
    if name not in rows.column_names:
        return np.full(rows.num_rows, np.nan)
    values: npt.NDArray[np.float64] = rows[name].to_numpy()
    return values
