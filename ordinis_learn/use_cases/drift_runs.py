"""Log drift checks as runs with pictures, those whose process ended before it had logged them as well."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.drift import DriftReference, is_of_answers, plot_drift, plot_history
from ordinis_learn.errors import LearnError
from ordinis_learn.records import DriftReport, ModelType
from ordinis_learn.use_cases.dead_runs import end_dead_runs
from ordinis_learn.use_cases.drift_reference import drift_reference, score
from ordinis_learn.use_cases.drift_subject import DriftSubject
from ordinis_learn.use_cases.find import find_artifact
from ordinis_learn.workbench import Workbench

__all__ = ["Checked", "log_check", "log_missing", "log_text_check"]

_LOGGER: Final = logging.getLogger(__name__)
_WINDOW_TAG: Final = "ordinis.drift_window"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A report with what its pictures are drawn from."""

    report: DriftReport
    reference: DriftReference
    current: pa.Table
    prediction: npt.NDArray[np.float64]


def log_check(bench: Workbench, checked: Checked, *, identity: str) -> None:
    """Log a check as a run with plots, and remember which one."""
    report = checked.report
    pictures = plot_drift(
        report, reference=checked.reference, current=checked.current, prediction=checked.prediction
    )
    _log(bench, report, pictures=pictures, tags={"ordinis.dataset": report.dataset_ref}, identity=identity)


def log_text_check(bench: Workbench, report: DriftReport, *, identity: str) -> None:
    """Log a check of answers or queries, whose texts are not drawn; its pictures are of the checks so far."""
    _log(bench, report, pictures={}, tags={}, identity=identity)


def log_missing(bench: Workbench) -> int:
    """Log the checks whose process ended before it had logged them; return how many are logged now.

    A run that a killed process left open is ended first. A check whose pictures cannot be drawn any more, because rows or bytes
    are gone, stays without a run: it is no reason to check nothing today.
    """
    try:
        end_dead_runs(bench.tracker)
    except LearnError as error:
        _LOGGER.warning("runs that a killed process left open stay so: %s", error)
    logged = 0
    for identity, report in bench.alerts.unlogged():
        try:
            _log_late(bench, report, identity=identity)
        except LearnError as error:
            _LOGGER.warning("the check %s stays without a run: %s", identity[:12], error)
        except Exception:
            # Pictures of one check are no reason to check nothing today, whatever is wrong with them.
            _LOGGER.exception("the check %s stays without a run", identity[:12])
        else:
            logged += 1
    return logged


def _log_late(bench: Workbench, report: DriftReport, *, identity: str) -> None:
    run_id = bench.tracker.find_run(_WINDOW_TAG, identity)
    if run_id is not None:
        bench.alerts.mark_logged(identity, run_id=run_id)
        return
    if is_of_answers(report):
        log_text_check(bench, report, identity=identity)
        return
    artifact = find_artifact(bench, report.model, report.version)
    if artifact.model_type is ModelType.EMBED_MODEL:
        log_text_check(bench, report, identity=identity)
        return
    subject = DriftSubject.of(bench, artifact, bench.catalogue.dataset(report.dataset_ref))
    current = subject.rows(report.start.date(), report.end.date())
    checked = Checked(
        report=report,
        reference=drift_reference(bench, artifact, subject.manifest),
        current=current,
        prediction=score(subject.model, current, horizon=subject.horizon).prediction,
    )
    log_check(bench, checked, identity=identity)


def _log(
    bench: Workbench,
    report: DriftReport,
    *,
    pictures: Mapping[str, bytes],
    tags: Mapping[str, str],
    identity: str,
) -> None:
    title = f"drift {report.model} v{report.version}"
    with bench.tracker.start_run(title, tags={_WINDOW_TAG: identity}) as run:
        run.log_metrics({f"{f.metric}.{f.feature}": f.value for f in report.findings})
        run.set_tags({"ordinis.breached": str(report.breached).lower(), **tags})
        run.log_json(report.to_json(), path="drift.json")
        drawn = {**pictures, **plot_history(bench.catalogue.drift(report.model))}
        with tempfile.TemporaryDirectory(prefix="ordinis-drift-") as folder:
            for name, png in drawn.items():
                path = Path(folder) / name
                path.write_bytes(png)
                run.log_file(path, folder="plots")
    bench.alerts.mark_logged(identity, run_id=run.run_id)
