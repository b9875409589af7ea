"""Check a model's recent inputs, scores and outcomes against its training data."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.datasets import FEATURE_PREFIX, open_dataset
from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.drift import Scores, alerts_for, check_drift, plot_drift
from ordinis_learn.errors import ArtifactMissing, DataMissing
from ordinis_learn.models import SignalModel, load_bundle
from ordinis_learn.records import DECLARED, DatasetManifest, DatasetWindow, DriftReport, ModelArtifact
from ordinis_learn.use_cases.build_dataset import parse_window
from ordinis_learn.use_cases.find import find_artifact
from ordinis_learn.workbench import Workbench

__all__ = ["ALPHA", "check_model_drift"]

ALPHA: Final = 0.05
"""Share of false alarms among alarms (Benjamini-Hochberg)."""


def check_model_drift(
    bench: Workbench,
    name: str,
    *,
    start: date,
    end: date,
    version: str | None = None,
    dataset: str | None = None,
    seed: int = 7,
) -> DriftReport:
    """Compare the signals captured from ``start`` to ``end`` with a training dataset.

    The report and its alerts are remembered, logged as a run with plots, and put in the outbox. A breach
    that is critical blocks promotions of the model.

    Parameters
    ----------
    version : str, optional
        Default: the ACTIVE version.
    dataset : str, optional
        The reference; default: what the version was trained on. A declared model has none, so it must be given.

    Raises
    ------
    ArtifactMissing
        The model is flat and no version was named.
    DataMissing
        No reference, or no signals in the window.
    """
    artifact = _artifact(bench, name, version)
    manifest = _reference(bench, artifact, dataset)
    reference = open_dataset(manifest, root=bench.settings.datasets_dir)
    horizon = min(manifest.window.horizons, key=lambda sessions: abs(sessions - 5))
    window = parse_window(
        {
            "start": start,
            "end": end,
            "horizons": [horizon],
            "symbols": manifest.window.symbols,
            "calendar": manifest.window.calendar,
        }
    )
    current = _current(bench, window, asked=f"check the drift of {artifact.name} v{artifact.version}")
    fitted = artifact.data_snapshot_ref != DECLARED
    model = load_bundle(bench.registry.local_path(artifact.name, artifact.version))
    report = check_drift(
        reference=reference,
        current=current,
        manifest=manifest,
        model=artifact,
        psi_floor=bench.settings.learn_drift_psi_thresh,
        alpha=ALPHA,
        seed=seed,
        clock=bench.clock,
        reference_scores=_scores(model, reference, horizon=horizon, with_outcome=not fitted),
        current_scores=_scores(model, current, horizon=horizon, with_outcome=not fitted),
    )
    _log(bench, report, reference=reference, current=current, manifest=manifest)
    bench.catalogue.add_drift(report, alerts_for(report))
    return report


def _artifact(bench: Workbench, name: str, version: str | None) -> ModelArtifact:
    chosen = version or bench.registry.active_version(name)
    if chosen is None:
        raise ArtifactMissing(
            f"check the drift of {name!r}",
            found="no version is ACTIVE",
            next_step=f"name one: ordinis-learn drift {name} --version 1 …",
        )
    return find_artifact(bench, name, chosen)


def _reference(bench: Workbench, artifact: ModelArtifact, dataset: str | None) -> DatasetManifest:
    ref = dataset or artifact.data_snapshot_ref
    if ref == DECLARED:
        raise DataMissing(
            f"check the drift of {artifact.name} v{artifact.version}",
            found="its parameters were declared, so it has no training data to compare with",
            next_step="name a reference: --dataset sp500_core",
        )
    return bench.catalogue.dataset(ref)


def _current(bench: Workbench, window: DatasetWindow, *, asked: str) -> pa.Table:
    rows = assemble(bench.log, window=window).table
    if rows.num_rows == 0:
        raise DataMissing(
            asked,
            found=f"no signals were captured from {window.start} to {window.end}",
            next_step="choose sessions that were captured; ordinis-learn events count says what there is",
        )
    return rows


def _column(rows: pa.Table, feature: str) -> npt.NDArray[np.float64]:
    """Return a feature's values; one that vanished is missing in every row."""
    name = FEATURE_PREFIX + feature
    if name not in rows.column_names:
        return np.full(rows.num_rows, np.nan)
    values: npt.NDArray[np.float64] = rows[name].to_numpy()
    return values


def _scores(model: SignalModel, rows: pa.Table, *, horizon: int, with_outcome: bool) -> Scores:
    """Score rows with the model; the outcome is what following its direction earned, before costs.

    A fitted model earns more on the rows it was fitted on than it ever will again, so there the outcome is
    left out: compared with it, every month afterwards would look like decay.
    """
    columns = [_column(rows, name) for name in model.feature_names]
    said = model.predict(np.column_stack(columns))
    signed = said.direction * said.confidence
    if not with_outcome:
        return Scores(prediction=signed.astype(np.float64))
    earned = said.direction * rows[f"fwd_ret_{horizon}d"].to_numpy()
    return Scores(prediction=signed.astype(np.float64), outcome=earned.astype(np.float64))


def _log(
    bench: Workbench,
    report: DriftReport,
    *,
    reference: pa.Table,
    current: pa.Table,
    manifest: DatasetManifest,
) -> None:
    with bench.tracker.start_run(f"drift {report.model} v{report.version}") as run:
        run.log_metrics({f"{f.metric}.{f.feature}": f.value for f in report.findings})
        run.set_tags({"ordinis.breached": str(report.breached).lower(), "ordinis.dataset": manifest.ref})
        run.log_json(report.to_json(), path="drift.json")
        with tempfile.TemporaryDirectory(prefix="ordinis-drift-") as folder:
            for name, png in plot_drift(report, reference=reference, current=current).items():
                path = Path(folder) / name
                path.write_bytes(png)
                run.log_file(path, folder="plots")
