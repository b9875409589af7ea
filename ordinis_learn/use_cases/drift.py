"""Check a model's recent inputs, scores and outcomes against its training data."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.datasets import open_dataset
from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.drift import (
    DEFAULT_DRAWS,
    MIN_REFERENCE_SESSIONS,
    DriftReference,
    Judgement,
    Measured,
    Scores,
    check_drift,
    measure_performance,
    performance_metrics,
    plot_drift,
    plot_history,
)
from ordinis_learn.errors import ArtifactMissing, DataCorrupt, DataMissing
from ordinis_learn.market.lags import split_lag
from ordinis_learn.models import SignalModel, load_bundle
from ordinis_learn.records import DECLARED, DatasetManifest, DriftFinding, DriftReport, ModelArtifact, hash_of
from ordinis_learn.use_cases.alerting import remember
from ordinis_learn.use_cases.drift_reference import (
    drift_reference,
    forecast_horizon,
    reference_manifest,
    score,
    seen_by,
)
from ordinis_learn.use_cases.find import find_artifact
from ordinis_learn.use_cases.loss_watch import follow_loss
from ordinis_learn.use_cases.stages import asked_of_model, made_report, stage
from ordinis_learn.workbench import Workbench

__all__ = ["ALPHA", "Checked", "check_model_drift", "log_check", "log_missing", "window_identity"]

_LOGGER: Final = logging.getLogger(__name__)
_WINDOW_TAG: Final = "ordinis.drift_window"
ALPHA: Final = 0.05
"""Share of false alarms among alarms (Benjamini-Hochberg)."""

_RECORD: Final = timedelta(days=183)


@stage("drift", asked=asked_of_model, made=made_report)
def check_model_drift(
    bench: Workbench,
    name: str,
    *,
    start: date,
    end: date,
    version: str | None = None,
    dataset: str | None = None,
    seed: int = 7,
    session: date | None = None,
) -> DriftReport:
    """Compare the signals captured from ``start`` to ``end`` with a training dataset, once.

    The report is remembered with what the response policy makes of it, in one transaction, and then logged as a run with
    plots. The same window of the same version and reference is not checked twice: its report is returned. A breach that is
    critical blocks promotions of the model.

    Parameters
    ----------
    version : str, optional
        Default: the ACTIVE version.
    dataset : str, optional
        The reference; default: what the version was trained on. A declared model has none, so it must be given.
    session : date, optional
        The session that a daily check is for; its breaches open alerts once they persist. By default those of a span
        chosen by hand speak for themselves.

    Raises
    ------
    ArtifactMissing
        The model is flat and no version was named.
    DataMissing
        No reference, or no signals in the window.
    """
    artifact = _artifact(bench, name, version)
    manifest = reference_manifest(bench, artifact, dataset)
    identity = window_identity(artifact, manifest, start=start, end=end)
    known = bench.alerts.check(identity)
    if known is not None:
        return known
    checked = _measure(bench, artifact, manifest, start=start, end=end, seed=seed)
    report = remember(
        bench, checked.report, model_type=artifact.model_type, identity=identity, session=session
    )
    if report == checked.report:  # else another process was first, and logs its own
        log_check(bench, checked, identity=identity)
    return report


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A report with what its pictures are drawn from."""

    report: DriftReport
    reference: DriftReference
    current: pa.Table
    prediction: npt.NDArray[np.float64]
    manifest: DatasetManifest


def window_identity(artifact: ModelArtifact, manifest: DatasetManifest, *, start: date, end: date) -> str:
    """Return what makes a check this check: the version, the reference and the window that was asked for."""
    about = {
        "model": artifact.name,
        "version": artifact.version,
        "reference": manifest.ref,
        "start": start.isoformat(),
        "end": end.isoformat(),
    }
    return hash_of(about, domain="ordinis.drift.window.v1")


def log_missing(bench: Workbench) -> int:
    """Log the checks whose process ended before it had logged them; return how many are logged now.

    One whose pictures cannot be drawn any more, because rows or bytes are gone, stays without a run: it is no reason to check
    nothing today.
    """
    logged = 0
    for identity, report in bench.alerts.unlogged():
        try:
            _log_late(bench, report, identity=identity)
        except (ArtifactMissing, DataCorrupt, DataMissing) as error:
            _LOGGER.warning("the check %s stays without a run: %s", identity[:12], error)
        else:
            logged += 1
    return logged


def _log_late(bench: Workbench, report: DriftReport, *, identity: str) -> None:
    run_id = bench.tracker.find_run(_WINDOW_TAG, identity)
    if run_id is not None:
        bench.alerts.mark_logged(identity, run_id=run_id)
        return
    artifact = find_artifact(bench, report.model, report.version)
    manifest = bench.catalogue.dataset(report.dataset_ref)
    model = load_bundle(bench.registry.local_path(artifact.name, artifact.version))
    horizon = forecast_horizon(model, manifest)
    current = _rows(
        bench,
        manifest,
        model=model,
        start=report.start.date(),
        end=report.end.date(),
        horizon=horizon,
    )
    checked = Checked(
        report=report,
        reference=drift_reference(bench, artifact, manifest),
        current=current,
        prediction=score(model, current, horizon=horizon).prediction,
        manifest=manifest,
    )
    log_check(bench, checked, identity=identity)


def _measure(
    bench: Workbench,
    artifact: ModelArtifact,
    manifest: DatasetManifest,
    *,
    start: date,
    end: date,
    seed: int,
) -> Checked:
    reference = drift_reference(bench, artifact, manifest)
    model = load_bundle(bench.registry.local_path(artifact.name, artifact.version))
    horizon = forecast_horizon(model, manifest)
    current = _rows(bench, manifest, model=model, start=start, end=end, horizon=horizon)
    if current.num_rows == 0:
        raise DataMissing(
            f"check the drift of {artifact.name} v{artifact.version}",
            found=f"no signals were captured from {start} to {end}",
            next_step="choose sessions that were captured; ordinis-learn events count says what there is",
        )
    said = score(model, current, horizon=horizon)
    judgement = Judgement(
        draws=DEFAULT_DRAWS, seed=seed, alpha=ALPHA, psi_floor=bench.settings.learn_drift_psi_thresh
    )
    earlier = _record_of(bench, artifact, manifest, model=model, until=start, horizon=horizon)
    report = check_drift(
        reference=reference,
        current=current,
        model=artifact,
        psi_floor=judgement.psi_floor,
        alpha=ALPHA,
        seed=seed,
        clock=bench.clock,
        prediction=said.prediction,
        performance=_performance(
            model, earlier, current=current, said=said, horizon=horizon, judgement=judgement
        ),
        followed=_follow(
            bench, artifact, manifest, model=model, horizon=horizon, start=start, end=end, seed=seed
        ),
    )
    return Checked(
        report=report, reference=reference, current=current, prediction=said.prediction, manifest=manifest
    )


def _follow(
    bench: Workbench,
    artifact: ModelArtifact,
    manifest: DatasetManifest,
    *,
    model: SignalModel,
    horizon: int,
    start: date,
    end: date,
    seed: int,
) -> tuple[DriftFinding, ...]:
    return follow_loss(
        bench,
        artifact,
        manifest,
        model=model,
        horizon=horizon,
        record=lambda: _record_of(
            bench, artifact, manifest, model=model, until=end, horizon=horizon, whole=True
        ),
        rows=lambda first, last: _rows(bench, manifest, model=model, start=first, end=last, horizon=horizon),
        since=start,
        until=end,
        alpha=ALPHA,
        seed=seed,
    )


def _artifact(bench: Workbench, name: str, version: str | None) -> ModelArtifact:
    chosen = version or bench.registry.active_version(name)
    if chosen is None:
        raise ArtifactMissing(
            f"check the drift of {name!r}",
            found="no version is ACTIVE",
            next_step=f"name one: ordinis-learn drift run {name} --version 1 …",
        )
    return find_artifact(bench, name, chosen)


def _rows(
    bench: Workbench,
    manifest: DatasetManifest,
    *,
    model: SignalModel,
    start: date,
    end: date,
    horizon: int,
) -> pa.Table:
    """Return the captured signals of a span with their outcomes so far, as the reference's dataset was built.

    A model of a history sees what was captured before the span as well.
    """
    back = max(split_lag(column)[1] for column in model.feature_names)
    first = start - timedelta(days=2 * back + 7) if back else start
    window = manifest.window.model_copy(
        update={"start": first, "end": end, "horizons": (horizon,), "as_of": None}
    )
    rows = seen_by(model, assemble(bench.log, window=window).table, manifest=manifest)
    return rows.filter(pc.greater_equal(rows["session"], start)) if back else rows


def _record_of(
    bench: Workbench,
    artifact: ModelArtifact,
    manifest: DatasetManifest,
    *,
    model: SignalModel,
    until: date,
    horizon: int,
    whole: bool = False,
) -> pa.Table | None:
    """Return the rows on which the model showed what it can do; None where there are too few, or not all of a ``whole``.

    A fitted model earns more on the rows it was fitted on than it ever will again: compared with them, every month
    afterwards would look like decay. Its record is the first half year after them, and stays that: a record that
    moved along would call a slow decline normal. A declared model has seen nothing, so the dataset is its record.
    """
    if artifact.data_snapshot_ref == DECLARED or artifact.trained_until is None:
        return _declared_record(bench, manifest, model=model, horizon=horizon)
    first = date.fromisoformat(artifact.trained_until[:10]) + timedelta(days=1)
    last = min(first + _RECORD, until - timedelta(days=2 * horizon + 3))
    if last <= first or (whole and last < first + _RECORD):
        return None
    rows = _rows(bench, manifest, model=model, start=first, end=last, horizon=horizon)
    days = len(np.unique(rows["session"].to_numpy())) if rows.num_rows else 0
    return rows if days >= MIN_REFERENCE_SESSIONS else None


def _declared_record(
    bench: Workbench, manifest: DatasetManifest, *, model: SignalModel, horizon: int
) -> pa.Table | None:
    """Return the dataset's rows; where they were pruned, what the event log still has of them."""
    try:
        rows = open_dataset(manifest, root=bench.settings.datasets_dir)
    except DataMissing:
        span = manifest.window
        rows = _rows(bench, manifest, model=model, start=span.start, end=span.end, horizon=horizon)
        return rows if rows.num_rows else None
    return seen_by(model, rows, manifest=manifest)


def _performance(
    model: SignalModel,
    earlier: pa.Table | None,
    *,
    current: pa.Table,
    said: Scores,
    horizon: int,
    judgement: Judgement,
) -> list[Measured]:
    if earlier is None:
        return []
    return measure_performance(
        performance_metrics(horizon_sessions=horizon),
        reference=score(model, earlier, horizon=horizon),
        reference_session=_session_numbers(earlier),
        current=said,
        current_session=_session_numbers(current),
        judgement=judgement,
    )


def _session_numbers(rows: pa.Table) -> npt.NDArray[np.int64]:
    _, number = np.unique(rows["session"].to_numpy(), return_inverse=True)
    return number.astype(np.int64)


def log_check(bench: Workbench, checked: Checked, *, identity: str) -> None:
    """Log a check as a run with plots, and remember which one."""
    report = checked.report
    tags = {_WINDOW_TAG: identity}
    with bench.tracker.start_run(f"drift {report.model} v{report.version}", tags=tags) as run:
        run.log_metrics({f"{f.metric}.{f.feature}": f.value for f in report.findings})
        run.set_tags(
            {"ordinis.breached": str(report.breached).lower(), "ordinis.dataset": checked.manifest.ref}
        )
        run.log_json(report.to_json(), path="drift.json")
        with tempfile.TemporaryDirectory(prefix="ordinis-drift-") as folder:
            pictures = plot_drift(
                report, reference=checked.reference, current=checked.current, prediction=checked.prediction
            )
            pictures |= plot_history(bench.catalogue.drift(report.model))
            for name, png in pictures.items():
                path = Path(folder) / name
                path.write_bytes(png)
                run.log_file(path, folder="plots")
    bench.alerts.mark_logged(identity, run_id=run.run_id)
