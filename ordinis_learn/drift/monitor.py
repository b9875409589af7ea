"""The drift check: recent rows against the rows a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.drift.binning import Counts, Float1D
from ordinis_learn.drift.judging import judge
from ordinis_learn.drift.measurement import Judgement, Measured, measure_column
from ordinis_learn.drift.reference import PREDICTION, DriftReference
from ordinis_learn.drift.samples import Rows
from ordinis_learn.ports import Clock
from ordinis_learn.records import DriftFinding, DriftReport

__all__ = ["DEFAULT_DRAWS", "VersionedModel", "check_drift"]

DEFAULT_DRAWS: Final = 2000


class VersionedModel(Protocol):
    """What a report needs to know of a model; a ModelRef and a ModelArtifact both do."""

    @property
    def name(self) -> str:
        """The registered model."""
        ...

    @property
    def version(self) -> str:
        """Its version."""
        ...


def check_drift(
    *,
    reference: DriftReference,
    current: pa.Table,
    model: VersionedModel,
    psi_floor: float,
    alpha: float,
    seed: int,
    clock: Clock,
    prediction: Float1D | None = None,
    performance: Sequence[Measured] = (),
    followed: Sequence[DriftFinding] = (),
    draws: int = DEFAULT_DRAWS,
) -> DriftReport:
    """Compare recent rows with the reference, feature by feature, all together, and by what the model said.

    A finding is *info* when it is significant (Benjamini-Hochberg over the whole check at ``alpha``, p-values from
    the block-bootstrapped null), *warning* when the change is material as well (PSI ≥ ``psi_floor``; a mean
    outcome that lost half), *critical* at twice that. Only the last two breach. Missing less often and
    earning more are no drift. One check knows nothing of the day before: persistence is the response policy's.

    Parameters
    ----------
    reference : DriftReference
    current : pyarrow.Table
        Column ``session`` (date32) and one ``f_*`` column per feature; other columns are not read. It should not overlap
        the reference. A feature column that is absent is missing in all its rows.
    psi_floor : float
        ``LEARN_DRIFT_PSI_THRESH``.
    alpha : float
        Share of false alarms among alarms.
    prediction : float64 array, shape (n,), optional
        What the model said about each current row; compared where the reference holds the same.
    performance : sequence of Measured
        Declines measured apart, judged together with the rest.
    followed : sequence of DriftFinding
        Of detectors that follow the model from check to check, judged by their own rate of false alarms.
    draws : int
        Null samples; the smallest p-value is 1 / (draws + 1).

    Raises
    ------
    DataMissing
        No current rows, or no column ``session``.
    """
    asked = f"check drift of {model.name} version {model.version} against {reference.dataset_ref}"
    now = Rows.of(current, asked=asked, side="current")
    judgement = Judgement(draws=draws, seed=seed, alpha=alpha, psi_floor=psi_floor)
    measured = [
        *_measure_columns(reference, now, prediction=prediction, judgement=judgement),
        *_measure_jointly(reference, now, judgement=judgement),
        *performance,
    ]
    findings = (*judge(measured, alpha=alpha), *followed)
    return DriftReport(
        model=model.name,
        version=model.version,
        dataset_ref=reference.dataset_ref,
        start=_midnight(now.days[0]),
        end=_midnight(now.days[-1]),
        reference_rows=reference.rows,
        current_rows=current.num_rows,
        alpha=alpha,
        findings=findings,
        breached=any(finding.severity in {"warning", "critical"} for finding in findings),
        created_at=clock(),
    )


def _measure_columns(
    reference: DriftReference, now: Rows, *, prediction: Float1D | None, judgement: Judgement
) -> list[Measured]:
    measured: list[Measured] = []
    for name, column in reference.columns.items():
        values = prediction if name == PREDICTION else now.feature(name)
        if name == PREDICTION and values is None:
            continue
        current = _count(reference, name, values, rows=now)
        measured += measure_column(
            name,
            column=column,
            nulls=reference.nulls(
                name, window_sessions=len(now.days), window_rows=now.table.num_rows, judgement=judgement
            ),
            current=current,
            windows=current.total[None, :],
            judgement=judgement,
        )
    return measured


def _count(reference: DriftReference, name: str, values: Float1D | None, *, rows: Rows) -> Counts:
    """Count a column as one window; one that vanished is missing in every row."""
    known = np.full(rows.table.num_rows, np.nan) if values is None else values
    return reference.columns[name].bins.count(known, session=np.zeros(len(known), dtype=np.int64), sessions=1)


def _measure_jointly(reference: DriftReference, now: Rows, *, judgement: Judgement) -> list[Measured]:
    """Measure what features do to each other: all together, and each against the rest; nothing where that makes no sense."""
    window = len(now.days)
    measured = []
    bins = _joint_bins(reference, now)
    if reference.classifier.applies(window_sessions=window):
        measured.append(reference.classifier.measure(bins, session=now.session, alpha=judgement.alpha))
    if reference.conditional.applies(window_sessions=window):
        measured += reference.conditional.measure(bins, window_sessions=window, judgement=judgement)
    return measured


def _joint_bins(reference: DriftReference, now: Rows) -> npt.NDArray[np.int64]:
    """Return the bin of each value, shape (n, F); a feature that vanished is missing in every row."""
    columns = []
    for name in reference.joint.names:
        bins, values = reference.columns[name].bins, now.feature(name)
        columns.append(np.full(now.table.num_rows, len(bins)) if values is None else bins.index(values))
    return np.stack(columns, axis=1)


def _midnight(day: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=UTC)
