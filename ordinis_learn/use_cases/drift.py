"""Check a model's recent inputs, scores and outcomes against its training data."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.drift import (
    DEFAULT_DRAWS,
    Judgement,
    Measured,
    Scores,
    check_drift,
    measure_performance,
    performance_metrics,
)
from ordinis_learn.errors import ArtifactMissing, DataMissing
from ordinis_learn.records import DatasetManifest, DriftReport, ModelArtifact, hash_of
from ordinis_learn.use_cases.alerting import remember
from ordinis_learn.use_cases.drift_reference import drift_reference, reference_manifest, score
from ordinis_learn.use_cases.drift_runs import Checked, log_check
from ordinis_learn.use_cases.drift_subject import DriftSubject
from ordinis_learn.use_cases.find import find_artifact
from ordinis_learn.use_cases.loss_watch import follow_loss
from ordinis_learn.use_cases.stages import asked_of_model, made_report, stage
from ordinis_learn.workbench import Workbench

__all__ = ["ALPHA", "check_model_drift", "window_identity"]

ALPHA: Final = 0.05
"""Share of false alarms among alarms (Benjamini-Hochberg)."""


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
    identity = window_identity(artifact, manifest, start=start, end=end, session=session)
    daily = window_identity(artifact, manifest, start=start, end=end, session=end)
    known = bench.alerts.check(identity) or (bench.alerts.check(daily) if session is None else None)
    if known is not None:
        return known
    subject = DriftSubject.of(bench, artifact, manifest)
    checked = _measure(subject, start=start, end=end, seed=seed, daily=session is not None)
    report = remember(
        bench, checked.report, model_type=artifact.model_type, identity=identity, session=session
    )
    if report == checked.report:  # else another process was first, and logs its own
        log_check(bench, checked, identity=identity)
    return report


def window_identity(
    artifact: ModelArtifact,
    manifest: DatasetManifest,
    *,
    start: date,
    end: date,
    session: date | None = None,
) -> str:
    """Return what makes a check this check: the version, the reference, the window that was asked for, and the day it is for.

    A check by hand of a day's window is not that day's check: it opens no alert that has to persist, and the day would count as done.
    """
    about = {
        "model": artifact.name,
        "version": artifact.version,
        "reference": manifest.ref,
        "start": start.isoformat(),
        "end": end.isoformat(),
    }
    if session is not None:
        about["session"] = session.isoformat()
    return hash_of(about, domain="ordinis.drift.window.v1")


def _measure(subject: DriftSubject, *, start: date, end: date, seed: int, daily: bool) -> Checked:
    bench, artifact = subject.bench, subject.artifact
    reference = drift_reference(bench, artifact, subject.manifest)
    current = subject.rows(start, end)
    if current.num_rows == 0:
        raise DataMissing(
            f"check the drift of {artifact.name} v{artifact.version}",
            found=f"no signals were captured from {start} to {end}",
            next_step="choose sessions that were captured; ordinis-learn events count says what there is",
        )
    said = score(subject.model, current, horizon=subject.horizon)
    judgement = Judgement(
        draws=DEFAULT_DRAWS, seed=seed, alpha=ALPHA, psi_floor=bench.settings.learn_drift_psi_thresh
    )
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
            subject, subject.record(until=start), current=current, said=said, judgement=judgement
        ),
        followed=follow_loss(subject, since=start, until=end, alpha=ALPHA, seed=seed, keep=daily),
    )
    return Checked(report=report, reference=reference, current=current, prediction=said.prediction)


def _artifact(bench: Workbench, name: str, version: str | None) -> ModelArtifact:
    chosen = version or bench.registry.active_version(name)
    if chosen is None:
        raise ArtifactMissing(
            f"check the drift of {name!r}",
            found="no version is ACTIVE",
            next_step=f"name one: ordinis-learn drift run {name} --version 1 …",
        )
    return find_artifact(bench, name, chosen)


def _performance(
    subject: DriftSubject,
    earlier: pa.Table | None,
    *,
    current: pa.Table,
    said: Scores,
    judgement: Judgement,
) -> list[Measured]:
    if earlier is None:
        return []
    return measure_performance(
        performance_metrics(horizon_sessions=subject.horizon),
        reference=score(subject.model, earlier, horizon=subject.horizon),
        reference_session=_session_numbers(earlier),
        current=said,
        current_session=_session_numbers(current),
        judgement=judgement,
    )


def _session_numbers(rows: pa.Table) -> npt.NDArray[np.int64]:
    _, number = np.unique(rows["session"].to_numpy(), return_inverse=True)
    return number.astype(np.int64)
