"""The drift check: recent rows against the rows a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import numpy as np
import pyarrow as pa

from ordinis_learn.datasets.profile import profile_feature
from ordinis_learn.drift.binning import Float1D
from ordinis_learn.drift.fdr import benjamini_hochberg
from ordinis_learn.drift.measurement import Judgement, Measurement, measure_feature, measure_outcome
from ordinis_learn.drift.samples import Rows
from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.ports import Clock
from ordinis_learn.records import DatasetManifest, DriftFinding, DriftReport, Severity

__all__ = ["Scores", "VersionedModel", "check_drift"]

DEFAULT_DRAWS: Final = 2000
_MIN_REFERENCE_SESSIONS: Final = 40
_CRITICAL: Final = 2.0


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """What a model said about rows, and what came of it, both in the order of the rows.

    Attributes
    ----------
    prediction : float64 array, shape (n,)
        The model's forecast or signed confidence.
    outcome : float64 array, shape (n,), optional
        What following the model earned, as a fraction; NaN where not known yet.
    """

    prediction: Float1D
    outcome: Float1D | None = None


def check_drift(
    *,
    reference: pa.Table,
    current: pa.Table,
    manifest: DatasetManifest,
    model: VersionedModel,
    psi_floor: float,
    alpha: float,
    seed: int,
    clock: Clock,
    reference_scores: Scores | None = None,
    current_scores: Scores | None = None,
    draws: int = DEFAULT_DRAWS,
) -> DriftReport:
    """Compare recent rows with the training rows, feature by feature.

    A finding is *info* when it is significant (Benjamini-Hochberg over the whole check at ``alpha``, p-values from
    the block-bootstrapped null), *warning* when the change is material as well (PSI ≥ ``psi_floor``; a mean
    outcome that lost half), *critical* at twice that. Only the last two breach. Missing less often and
    earning more are no drift. One check knows nothing of the day before: persistence is the caller's.

    Parameters
    ----------
    reference, current : pyarrow.Table
        Column ``session`` (date32) and one ``f_*`` column per feature of the manifest; other columns are not
        read. The windows should not overlap. A feature column that is absent from ``current`` is missing in all its rows.
    manifest : DatasetManifest
        Of the training dataset; its profiles give the bins of the PSI.
    psi_floor : float
        ``LEARN_DRIFT_PSI_THRESH``.
    alpha : float
        Share of false alarms among alarms.
    reference_scores, current_scores : Scores, optional
        Both or neither: adds the findings ``prediction`` and ``outcome``.
    draws : int
        Null samples; the smallest p-value is 1 / (draws + 1).

    Raises
    ------
    DataMissing
        No current rows, no such feature in the reference or the manifest, or fewer than 40 reference sessions.
    """
    asked = f"check drift of {model.name} version {model.version} against {manifest.ref}"
    before = Rows.of(reference, asked=asked, side="reference")
    now = Rows.of(current, asked=asked, side="current")
    _require_sessions(before, asked=asked)
    judgement = Judgement(draws=draws, seed=seed, alpha=alpha, psi_floor=psi_floor)
    measured = _measure_features(before, now, manifest=manifest, judgement=judgement, asked=asked)
    if (reference_scores is None) != (current_scores is None):
        raise ConfigInvalid(
            asked,
            found="scores of one window only",
            next_step="pass reference_scores and current_scores, or neither",
        )
    if reference_scores is not None and current_scores is not None:
        measured += _measure_scores(before, reference_scores, now, current_scores, judgement=judgement)
    findings = _judge(measured, alpha=alpha)
    return DriftReport(
        model=model.name,
        version=model.version,
        dataset_ref=manifest.ref,
        start=_midnight(now.days[0]),
        end=_midnight(now.days[-1]),
        reference_rows=reference.num_rows,
        current_rows=current.num_rows,
        alpha=alpha,
        findings=findings,
        breached=any(finding.severity in {"warning", "critical"} for finding in findings),
        created_at=clock(),
    )


def _measure_features(
    before: Rows, now: Rows, *, manifest: DatasetManifest, judgement: Judgement, asked: str
) -> list[Measurement]:
    measured: list[Measurement] = []
    for feature in manifest.feature_names:
        reference = before.feature(feature)
        profile = manifest.profile.get(feature)
        if reference is None or profile is None or not np.isfinite(reference.values).any():
            raise DataMissing(
                asked,
                found=f"the training data hold no values or no profile of feature {feature!r}",
                next_step="pass the rows of the dataset that the model was trained on",
                feature=feature,
            )
        current = now.feature(feature) or now.sample(np.full(now.table.num_rows, np.nan))
        measured += measure_feature(
            feature, profile=profile, reference=reference, current=current, judgement=judgement
        )
    return measured


def _measure_scores(
    before: Rows, reference: Scores, now: Rows, current: Scores, *, judgement: Judgement
) -> list[Measurement]:
    measured = measure_feature(
        "prediction",
        profile=profile_feature(reference.prediction),
        reference=before.sample(reference.prediction),
        current=now.sample(current.prediction),
        judgement=judgement,
    )
    if reference.outcome is not None and current.outcome is not None:
        measured += measure_outcome(
            reference=before.sample(reference.outcome),
            current=now.sample(current.outcome),
            judgement=judgement,
        )
    return measured


def _judge(measured: Sequence[Measurement], *, alpha: float) -> tuple[DriftFinding, ...]:
    q_values = benjamini_hochberg(np.array([each.p_value for each in measured]))
    return tuple(
        DriftFinding(
            feature=each.feature,
            metric=each.metric,
            value=each.value,
            threshold=each.threshold,
            p_value=each.p_value,
            q_value=float(q_value),
            severity=_severity(each.effect) if q_value <= alpha else "none",
        )
        for each, q_value in zip(measured, q_values, strict=True)
    )


def _severity(effect: float) -> Severity:
    if effect >= _CRITICAL:
        return "critical"
    return "warning" if effect >= 1.0 else "info"


def _require_sessions(reference: Rows, *, asked: str) -> None:
    if len(reference.days) < _MIN_REFERENCE_SESSIONS:
        raise DataMissing(
            asked,
            found=f"{len(reference.days)} reference sessions; their own noise is known from {_MIN_REFERENCE_SESSIONS} on",
            next_step="train on a longer window, then check again",
            sessions=len(reference.days),
        )


def _midnight(day: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=UTC)
