"""What catalogue and outbox have to say of themselves, for monitoring."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.ports import Sample
from ordinis_learn.records import DriftReport, ModelType
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.models import (
    ArtifactRow,
    AttemptRow,
    DatasetRow,
    DriftAlertRow,
    DriftReportRow,
    OutboxRow,
    ScorecardRow,
)

__all__ = ["UNKNOWN_TYPE", "CatalogueSource", "OutboxSource", "model_types"]

UNKNOWN_TYPE: Final = "unknown"
"""The model type of a name that no artifact has."""

_STATUSES: Final = ("quiet", "breached", "failed")
_NEWEST: Final = sa.select(sa.func.max(DriftReportRow.position)).group_by(DriftReportRow.model)


class CatalogueSource:
    """Datasets, trainings, evaluations, drift checks and alerts, counted in the tables that keep them.

    Alerts and datasets are read once and then only those that are new.

    Parameters
    ----------
    database : GovernanceDatabase
        Where the catalogue is.
    """

    name = "catalogue"

    def __init__(self, database: GovernanceDatabase) -> None:
        self._database = database
        self._alerts: dict[str, tuple[str, str]] = {}
        self._datasets: dict[int, tuple[str, int]] = {}

    def samples(self) -> Iterator[Sample]:
        """Yield what is there now, of one moment."""
        with self._database.reading() as session:
            types = model_types(session)
            found = [
                *_trainings(session),
                *_evaluations(session),
                *_checks(session, types),
                *_scores(session),
                *self._raised(session, types),
                *self._built(session),
            ]
        yield from found

    def _raised(self, session: Session, types: dict[str, str]) -> Iterator[Sample]:
        known = session.scalar(sa.select(sa.func.count()).select_from(DriftAlertRow)) or 0
        if known != len(self._alerts):
            query = sa.select(DriftAlertRow.alert_id, DriftAlertRow.model, DriftAlertRow.record)
            for alert_id, model, text in session.execute(query.order_by(DriftAlertRow.created_at)):
                if alert_id not in self._alerts:
                    self._alerts[alert_id] = model, json.loads(text)["metric"]
        counts = Counter((types.get(model, UNKNOWN_TYPE), metric) for model, metric in self._alerts.values())
        for (model_type, metric), number in counts.items():
            yield Sample("learn_drift_alert_total", {"model_type": model_type, "metric": metric}, number)

    def _built(self, session: Session) -> Iterator[Sample]:
        there = session.scalars(sa.select(DatasetRow.position)).all()
        # Not those beyond the newest: a writer that commits late has a smaller number than one that was read already.
        new = sorted(set(there) - set(self._datasets))
        query = sa.select(DatasetRow.position, DatasetRow.record)
        query = query.where(DatasetRow.position.in_(new)) if self._datasets else query
        for position, text in session.execute(query) if new else ():
            manifest = json.loads(text)
            status = "accepted" if manifest["validation"]["success"] else "rejected"
            self._datasets[position] = status, int(manifest["event_range"]["log_position"])
        counts = Counter({"accepted": 0, "rejected": 0})
        counts.update(status for status, _ in self._datasets.values())
        for status, number in counts.items():
            yield Sample("learn_datasets_total", {"status": status}, number)
        if self._datasets:
            yield Sample("learn_dataset_log_position", {}, self._datasets[max(self._datasets)][1])


class OutboxSource:
    """What waits for the bus.

    Parameters
    ----------
    database : GovernanceDatabase
        Where the outbox is.
    """

    name = "outbox"

    def __init__(self, database: GovernanceDatabase) -> None:
        self._database = database

    def samples(self) -> Iterator[Sample]:
        """Yield what is there now."""
        with self._database.reading() as session:
            waiting = session.scalar(sa.select(sa.func.count()).select_from(OutboxRow)) or 0
            oldest = session.scalar(sa.select(OutboxRow.created_at).order_by(OutboxRow.id).limit(1))
        yield Sample("learn_outbox_pending", {}, waiting)
        if oldest is not None:
            yield Sample("learn_outbox_oldest_timestamp_seconds", {}, oldest.timestamp())


def model_types(session: Session) -> dict[str, str]:
    """Return the type of every model by its name."""
    query = sa.select(ArtifactRow.name, ArtifactRow.model_type).distinct()
    return {name: model_type for name, model_type in session.execute(query)}  # noqa: C416  rows are no pairs to mypy


def _trainings(session: Session) -> Iterator[Sample]:
    done = _counted(session, ArtifactRow.model_type)
    failed = _failed(session, "train")
    for model_type in sorted({*ModelType, *done, *failed}):
        for status, counts in (("succeeded", done), ("failed", failed)):
            labels = {"model_type": str(model_type), "status": status}
            yield Sample("learn_train_total", labels, counts.get(str(model_type), 0))


def _evaluations(session: Session) -> Iterator[Sample]:
    done = _counted(session, ScorecardRow.pack_id)
    failed = _failed(session, "evaluate")
    for pack in sorted({*done, *failed}):
        for status, counts in (("succeeded", done), ("failed", failed)):
            yield Sample("learn_eval_total", {"pack": pack, "status": status}, counts.get(pack, 0))


def _checks(session: Session, types: dict[str, str]) -> Iterator[Sample]:
    query = sa.select(DriftReportRow.model, DriftReportRow.breached, sa.func.count())
    # A series that begins at 1 would have no increase: every status is there from the start.
    counts = Counter({(name.value, status): 0 for name in ModelType for status in _STATUSES})
    for model, breached, number in session.execute(
        query.group_by(DriftReportRow.model, DriftReportRow.breached)
    ):
        counts[types.get(model, UNKNOWN_TYPE), "breached" if breached else "quiet"] += number
    for model_type, number in _failed(session, "drift").items():
        counts[model_type, "failed"] += number
    for (model_type, status), number in counts.items():
        yield Sample("learn_drift_check_total", {"model_type": model_type, "status": status}, number)


def _scores(session: Session) -> Iterator[Sample]:
    query = sa.select(DriftReportRow.created_at, DriftReportRow.record)
    newest = query.where(DriftReportRow.position.in_(_NEWEST)).order_by(DriftReportRow.position)
    for at, text in session.execute(newest):
        report = DriftReport.model_validate_json(text)
        yield from _said_of(report, at=at)


def _said_of(report: DriftReport, *, at: datetime) -> Iterator[Sample]:
    worst: dict[str, float] = {}
    for finding in report.findings:
        worst[finding.metric] = max(finding.value, worst.get(finding.metric, finding.value))
    model = {"model": report.model}
    for metric, value in worst.items():
        yield Sample("learn_drift_score", {**model, "metric": metric}, value)
    yield Sample("learn_drift_breached", model, float(report.breached))
    yield Sample("learn_drift_last_check_timestamp_seconds", model, at.timestamp())


def _failed(session: Session, kind: str) -> dict[str, int]:
    return _counted(session, AttemptRow.label, AttemptRow.kind == kind)


def _counted(session: Session, column: Any, *conditions: Any) -> dict[str, int]:
    query = sa.select(column, sa.func.count()).where(*conditions).group_by(column)
    return {str(value): int(number) for value, number in session.execute(query)}
