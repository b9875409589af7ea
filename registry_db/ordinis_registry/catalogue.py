"""The governance database's memory of artifacts, datasets, packs, scorecards and drift."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.errors import ArtifactMissing, BenchDataMissing, DataCorrupt, DataMissing
from ordinis_learn.ports import Clock, FailedAttempt
from ordinis_learn.records import (
    Actor,
    AuditRecord,
    BenchPackManifest,
    DatasetManifest,
    DriftAlert,
    DriftReport,
    Envelope,
    ModelArtifact,
    Record,
    Scorecard,
    dataset_built,
    drift_alerted,
    evaluation_completed,
    model_trained,
    pack_generated,
)
from ordinis_registry import dataset_records, outbox
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.models import (
    ArtifactRow,
    AttemptRow,
    Base,
    BenchPackRow,
    DatasetRow,
    DriftAlertRow,
    DriftReportRow,
    ScorecardRow,
    TraceRow,
)
from ordinis_registry.once import insert_once

__all__ = ["SqlCatalogue", "alert_row", "drift_row", "find_dataset", "is_drift_breached"]

_R = TypeVar("_R", bound=Record)
_DRIFT: Final = Base.metadata.tables[DriftReportRow.__tablename__]
_ARTIFACTS: Final = Base.metadata.tables[ArtifactRow.__tablename__]
_DRIFT_OF: Final = (
    sa.select(_DRIFT.c.record)
    .where(_DRIFT.c.model == sa.bindparam("of_model"), _DRIFT.c.version == sa.bindparam("of_version"))
    .order_by(_DRIFT.c.position)
)
_FITTED_FOR: Final = sa.select(_ARTIFACTS.c.version, _ARTIFACTS.c.record).where(
    _ARTIFACTS.c.name == sa.bindparam("of_name")
)


class SqlCatalogue:
    """The catalogue over SQLAlchemy; see :class:`ordinis_learn.ports.Catalogue` for the contract.

    Records that differ in nothing but ``created_at`` count as the same, and the first one is kept: the
    same work done twice is not a conflict.

    Parameters
    ----------
    database : GovernanceDatabase
        Upgraded to the newest schema.
    clock : Clock
        Stamps rows and events.
    env : str
        What the events' required tag ``env`` says: the settings' profile.
    """

    def __init__(self, database: GovernanceDatabase, *, clock: Clock, env: str = "dev") -> None:
        self._database = database
        self._clock = clock
        self._env = env

    def add_dataset(self, manifest: DatasetManifest) -> None:
        """Remember a dataset manifest, accepted or rejected."""
        at = self._clock()
        row = DatasetRow(
            dataset_id=manifest.dataset_id,
            version=manifest.version,
            content_sha256=manifest.content_sha256,
            created_at=at,
            record=_text(manifest),
        )
        found = sa.select(DatasetRow.record).where(
            DatasetRow.dataset_id == manifest.dataset_id, DatasetRow.version == manifest.version
        )
        event = dataset_built(manifest, at=at, env=self._env)
        self._add(manifest, row, found=found, what=f"dataset {manifest.ref}", events=(event,), at=at)

    def dataset(self, ref: str) -> DatasetManifest:
        """Return a manifest by ``dataset_id@version``, or the newest by bare ``dataset_id``."""
        with self._database.reading() as session:
            manifest = find_dataset(session, ref)
            known = session.scalars(sa.select(DatasetRow.dataset_id).distinct()).all()
        if manifest is None:
            raise DataMissing(
                f"find the dataset {ref!r}",
                found=f"datasets here: {', '.join(sorted(known)) or 'none'}",
                next_step="ordinis-learn datasets build --help",
                ref=ref,
            )
        return manifest

    def datasets(self) -> Sequence[DatasetManifest]:
        """Return every manifest, oldest first."""
        return self._read(sa.select(DatasetRow.record).order_by(DatasetRow.position), DatasetManifest)

    def record_dataset(
        self, action: str, *, actor: Actor, body: Mapping[str, Any], since: datetime | None = None
    ) -> AuditRecord:
        """Record in the ledger what is done to a dataset's rows; with ``since``, a record that is not older stands."""
        with self._database.session() as session:
            return dataset_records.append_record(
                session, action, actor=actor, at=self._clock(), body=body, since=since
            )

    def dataset_records(self) -> Sequence[AuditRecord]:
        """Return what was recorded of datasets, oldest first."""
        with self._database.reading() as session:
            return dataset_records.records(session)

    def add_artifact(self, artifact: ModelArtifact) -> None:
        """Remember a model artifact."""
        at = self._clock()
        row = ArtifactRow(
            artifact_id=artifact.artifact_id,
            name=artifact.name,
            version=artifact.version,
            model_type=artifact.model_type,
            artifact_sha256=artifact.artifact_sha256,
            created_at=at,
            record=_text(artifact),
        )
        found = sa.select(ArtifactRow.record).where(ArtifactRow.artifact_id == artifact.artifact_id)
        event = model_trained(artifact, at=at, env=self._env)
        self._add(artifact, row, found=found, what=f"artifact {artifact.artifact_id}", events=(event,), at=at)

    def artifact(self, artifact_id: str) -> ModelArtifact:
        """Return an artifact by its id."""
        query = sa.select(ArtifactRow.record).where(ArtifactRow.artifact_id == artifact_id)
        with self._database.reading() as session:
            text = session.scalar(query)
        if text is None:
            raise ArtifactMissing(
                f"find the artifact {artifact_id!r}",
                found="no artifact has this id",
                next_step="ordinis-learn models",
                artifact_id=artifact_id,
            )
        return ModelArtifact.model_validate_json(text)

    def artifacts(self, name: str | None = None) -> Sequence[ModelArtifact]:
        """Return artifacts, oldest first, of one model or of all."""
        query = sa.select(ArtifactRow.record).order_by(ArtifactRow.position)
        return self._read(query if name is None else query.where(ArtifactRow.name == name), ModelArtifact)

    def add_pack(self, pack: BenchPackManifest) -> None:
        """Remember a benchmark pack."""
        at = self._clock()
        row = BenchPackRow(
            pack_id=pack.pack_id, manifest_hash=pack.manifest_hash, created_at=at, record=_text(pack)
        )
        found = sa.select(BenchPackRow.record).where(BenchPackRow.pack_id == pack.pack_id)
        event = pack_generated(pack, at=at, env=self._env)
        self._add(pack, row, found=found, what=f"benchmark pack {pack.pack_id}", events=(event,), at=at)

    def pack(self, pack_id: str) -> BenchPackManifest:
        """Return a benchmark pack by its id."""
        query = sa.select(BenchPackRow.record).where(BenchPackRow.pack_id == pack_id)
        with self._database.reading() as session:
            text = session.scalar(query)
        if text is None:
            raise BenchDataMissing(
                f"find the benchmark pack {pack_id!r}",
                found="no pack has this id",
                next_step="ordinis-learn packs --help",
                pack_id=pack_id,
            )
        return BenchPackManifest.model_validate_json(text)

    def add_scorecard(self, artifact_id: str, scorecard: Scorecard) -> None:
        """Remember an evaluation; every evaluation is kept."""
        at = self._clock()
        digest = scorecard.content_hash()
        row = ScorecardRow(
            artifact_id=artifact_id,
            pack_id=scorecard.pack_id,
            record_hash=digest,
            created_at=at,
            record=_text(scorecard),
        )
        found = sa.select(ScorecardRow.record).where(
            ScorecardRow.artifact_id == artifact_id, ScorecardRow.record_hash == digest
        )
        events = evaluation_completed(artifact_id, scorecard, at=at, env=self._env)
        self._add(scorecard, row, found=found, what=f"scorecard {digest[:12]}", events=events, at=at)

    def scorecards(self, artifact_id: str) -> Sequence[Scorecard]:
        """Return an artifact's evaluations, oldest first."""
        query = sa.select(ScorecardRow.record).where(ScorecardRow.artifact_id == artifact_id)
        return self._read(query.order_by(ScorecardRow.position), Scorecard)

    def add_drift(self, report: DriftReport, alerts: Iterable[DriftAlert]) -> None:
        """Remember a drift check and its alerts."""
        at = self._clock()
        digest = report.content_hash()
        found = sa.select(DriftReportRow.record).where(
            DriftReportRow.model == report.model, DriftReportRow.record_hash == digest
        )
        raised = tuple(alerts)
        rows = (drift_row(report, at=at), *(alert_row(alert, at=at) for alert in raised))
        events = [drift_alerted(alert, at=at, env=self._env) for alert in raised]
        self._add(report, *rows, found=found, what=f"drift report {digest[:12]}", events=events, at=at)

    def drift(self, model: str) -> Sequence[DriftReport]:
        """Return a model's drift checks, oldest first."""
        query = sa.select(DriftReportRow.record).where(DriftReportRow.model == model)
        return self._read(query.order_by(DriftReportRow.position), DriftReport)

    def add_failure(self, kind: str, *, label: str, subject: str, code: str, found: str) -> None:
        """Remember work that failed, for good: a tracker's runs may be deleted."""
        row = AttemptRow(kind=kind, label=label, subject=subject, code=code, found=found, at=self._clock())
        with self._database.session() as session:
            session.add(row)

    def failures(self, kind: str) -> Mapping[str, int]:
        """Return how often work of a kind failed, by label."""
        query = sa.select(AttemptRow.label, sa.func.count()).where(AttemptRow.kind == kind)
        with self._database.reading() as session:
            return {label: number for label, number in session.execute(query.group_by(AttemptRow.label))}  # noqa: C416

    def failures_of(self, kind: str, subject: str, *, since: datetime) -> Sequence[FailedAttempt]:
        """Return what failed of a kind for one subject since a moment, oldest first."""
        query = sa.select(AttemptRow).where(
            AttemptRow.kind == kind, AttemptRow.subject == subject, AttemptRow.at >= since
        )
        with self._database.reading() as session:
            rows = session.scalars(query.order_by(AttemptRow.position))
            return [FailedAttempt(code=row.code, found=row.found, at=row.at) for row in rows]

    def keep_trace(self, subject: str, traceparent: str) -> None:
        """Remember the trace a subject was made in; the first one stays."""
        with self._database.session() as session:
            insert_once(session, TraceRow, subject=subject, traceparent=traceparent, at=self._clock())

    def trace_of(self, subject: str) -> str | None:
        """Return the trace that was kept for a subject."""
        with self._database.reading() as session:
            return session.scalar(sa.select(TraceRow.traceparent).where(TraceRow.subject == subject))

    def pending_events(self, *, limit: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return outbox entries not yet published, oldest first."""
        with self._database.reading() as session:
            return outbox.pending(session, limit=limit)

    def mark_published(self, ids: Sequence[int]) -> None:
        """Forget outbox entries that a bus has accepted."""
        with self._database.session() as session:
            outbox.forget(session, ids)

    def _add(
        self,
        record: Record,
        *rows: Base,
        found: sa.Select[str],
        what: str,
        events: Iterable[Envelope],
        at: datetime,
    ) -> None:
        with self._database.session() as session:
            stored = session.scalar(found)
            if stored is not None:
                _check_same(stored, record, what=what)
                return
            session.add_all(rows)
            session.flush()
            for event in events:
                outbox.enqueue(session, event, at=at)

    def _read(self, query: sa.Select[str], record_type: type[_R]) -> list[_R]:
        with self._database.reading() as session:
            return [record_type.model_validate_json(text) for text in session.scalars(query)]


def find_dataset(session: Session, ref: str) -> DatasetManifest | None:
    """Return a manifest by ``dataset_id@version``, or the newest by bare ``dataset_id``; else None."""
    dataset_id, _, version = ref.partition("@")
    query = sa.select(DatasetRow.record).where(DatasetRow.dataset_id == dataset_id)
    if version:
        query = query.where(DatasetRow.version == version)
    text = session.scalars(query.order_by(DatasetRow.position.desc()).limit(1)).first()
    return None if text is None else DatasetManifest.model_validate_json(text)


def is_drift_breached(session: Session, model: str, version: str) -> bool:
    """Tell whether a critical drift finding stands open against a version; no check is no breach.

    A breach is cleared by a later check of the same version against the same data, over sessions that reach at
    least as far: looking at another year, another version or another reference clears nothing.
    """
    open_until: dict[str, datetime] = {}
    for text in session.scalars(_DRIFT_OF, {"of_model": model, "of_version": version}):
        report = DriftReport.model_validate_json(text)
        standing = open_until.get(report.dataset_ref)
        if any(finding.severity == "critical" for finding in report.findings):
            open_until[report.dataset_ref] = report.end if standing is None else max(standing, report.end)
        elif standing is not None and report.end >= standing:
            del open_until[report.dataset_ref]
    return bool(open_until)


def trials_before(session: Session, name: str, version: str) -> int:
    """Return how many models were fitted for earlier versions of a name; the next one is picked from them all."""
    return sum(
        _trials_in(text)
        for other, text in session.execute(_FITTED_FOR, {"of_name": name})
        if int(other) < int(version)
    )


@lru_cache(4096)
def _trials_in(text: str) -> int:
    return ModelArtifact.model_validate_json(text).trials


def _text(record: Record) -> str:
    return record.canonical().decode()


def drift_row(report: DriftReport, *, at: datetime, **more: Any) -> DriftReportRow:
    """Return the row of a drift check; ``more`` are its window's columns."""
    return DriftReportRow(
        model=report.model,
        version=report.version,
        breached=report.breached,
        record_hash=report.content_hash(),
        created_at=at,
        record=_text(report),
        **more,
    )


def alert_row(alert: DriftAlert, *, at: datetime) -> DriftAlertRow:
    """Return the row of what one drift check alerted."""
    return DriftAlertRow(
        alert_id=alert.alert_id,
        model=alert.model,
        severity=alert.severity,
        created_at=at,
        record=_text(alert),
    )


def _check_same(stored: str, record: Record, *, what: str) -> None:
    before = type(record).model_validate_json(stored).to_json()
    now = record.to_json()
    differing = sorted(key for key in now if key != "created_at" and before.get(key) != now[key])
    if differing:
        raise DataCorrupt(
            f"remember {what}",
            found=f"another record has this identity; they differ in {', '.join(differing)}",
            next_step="give the new one an identity of its own; what is stored was not changed",
            differing=differing,
        )
