"""The governance tables, beside MLflow's own in the same database.

A record is kept as its canonical JSON in ``record``; the columns beside it exist to be searched.
Names of the specification carry no prefix, the others ``learn_``; a test holds them apart from MLflow's. The file is long
because all tables are in it: what the database holds can be read in one place.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    DateTime,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "MOVED_POINTERS",
    "TABLES",
    "AlertFactRow",
    "AlertRow",
    "ArtifactRow",
    "AttemptRow",
    "Base",
    "BenchPackRow",
    "DatasetRow",
    "DeliveryRow",
    "DriftAlertRow",
    "DriftReportRow",
    "EvidenceRow",
    "HeadRow",
    "HeartbeatRow",
    "LedgerRow",
    "OutboxRow",
    "PolicyRow",
    "ResponseRow",
    "ScorecardRow",
    "SegmentRow",
    "TraceRow",
    "UtcMoment",
]

_NAMING = {
    "ix": "ix_ordinis_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_ordinis_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_ordinis_%(table_name)s",
}


class UtcMoment(TypeDecorator[datetime]):
    """An aware moment, stored in UTC; SQLite forgets time zones, so they are put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments; store the others in UTC."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware UTC moment."""
        del dialect
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Base(DeclarativeBase):
    """The root of the governance tables."""

    metadata = MetaData(naming_convention=_NAMING)


class ArtifactRow(Base):
    """A model artifact (the specification's ``model_registry``)."""

    __tablename__ = "model_registry"
    __table_args__ = (UniqueConstraint("artifact_id"), Index(None, "name"), Index(None, "artifact_sha256"))

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    artifact_id: Mapped[str] = mapped_column(String(256))
    name: Mapped[str] = mapped_column(String(256))
    version: Mapped[str] = mapped_column(String(64))
    model_type: Mapped[str] = mapped_column(String(32))
    artifact_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class DatasetRow(Base):
    """A dataset manifest, accepted or rejected."""

    __tablename__ = "dataset_manifests"
    __table_args__ = (UniqueConstraint("dataset_id", "version"),)

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    dataset_id: Mapped[str] = mapped_column(String(256))
    version: Mapped[str] = mapped_column(String(64))
    content_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class BenchPackRow(Base):
    """A benchmark pack."""

    __tablename__ = "bench_packs"

    pack_id: Mapped[str] = mapped_column(String(256), primary_key=True)
    manifest_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class ScorecardRow(Base):
    """One evaluation of one artifact on one pack."""

    __tablename__ = "scorecards"
    __table_args__ = (UniqueConstraint("artifact_id", "record_hash"),)

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    artifact_id: Mapped[str] = mapped_column(String(256))
    pack_id: Mapped[str] = mapped_column(String(256))
    record_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class DriftReportRow(Base):
    """One drift check of one model.

    ``identity`` is that of its window, ``session`` the one that a daily check is for, ``run_id`` where it was logged;
    checks from before these columns have none of them.
    """

    __tablename__ = "model_drift"
    __table_args__ = (
        UniqueConstraint("model", "record_hash"),
        Index(None, "identity", unique=True),
        Index(None, "model", "version", "session"),
    )

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    model: Mapped[str] = mapped_column(String(256))
    version: Mapped[str] = mapped_column(String(64))
    identity: Mapped[str | None] = mapped_column(String(64))
    session: Mapped[date | None] = mapped_column()
    run_id: Mapped[str | None] = mapped_column(String(64))
    breached: Mapped[bool] = mapped_column()
    record_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class DriftAlertRow(Base):
    """An alert raised by a breached drift check."""

    __tablename__ = "drift_alerts"
    __table_args__ = (Index(None, "model"),)

    alert_id: Mapped[str] = mapped_column(String(256), primary_key=True)
    model: Mapped[str] = mapped_column(String(256))
    severity: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class AlertRow(Base):
    """An incident as it stands: the fold of its facts, written with them."""

    __tablename__ = "learn_alerts"
    __table_args__ = (Index(None, "subject", "status"), Index(None, "kind"))

    alert_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    subject: Mapped[str] = mapped_column(String(256))
    kind: Mapped[str] = mapped_column(String(32))
    metric: Mapped[str] = mapped_column(String(64))
    severity: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    blocks: Mapped[bool] = mapped_column()
    opened_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class AlertFactRow(Base):
    """What happened to incidents; appended, never changed."""

    __tablename__ = "learn_alert_facts"
    __table_args__ = (UniqueConstraint("fact_id"), Index(None, "alert_id"), Index(None, "subject", "what"))

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    fact_id: Mapped[str] = mapped_column(String(64))
    alert_id: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(256))
    what: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class ResponseRow(Base):
    """What a policy ordered, and whether it is done."""

    __tablename__ = "learn_responses"
    __table_args__ = (Index(None, "status"), Index(None, "alert_id"))

    response_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    alert_id: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(256))
    action: Mapped[str] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16))
    requested_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class DeliveryRow(Base):
    """A message to a route outside, written with the fact it tells; ``delivered`` once the receiver said so."""

    __tablename__ = "learn_deliveries"
    __table_args__ = (Index(None, "delivered", "next_at"),)

    delivery_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    alert_id: Mapped[str] = mapped_column(String(64))
    route: Mapped[str] = mapped_column(String(16))
    delivered: Mapped[bool] = mapped_column()
    next_at: Mapped[datetime] = mapped_column(UtcMoment)
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class HeartbeatRow(Base):
    """When a job last gave a sign of life."""

    __tablename__ = "learn_heartbeats"

    job: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


MOVED_POINTERS: Final = {
    "sqlite": "instr(hashed_text, '\"pointers\"') > 0",
    "postgresql": "strpos(hashed_text, '\"pointers\"') > 0",
}
"""The records that may have moved what is active, by dialect; an index holds them, for queries in these words."""


class LedgerRow(Base):
    """One record of the ledger; ``hashed_text`` is exactly what ``hash`` was computed over."""

    __tablename__ = "governance_ledger"
    __table_args__ = (
        UniqueConstraint("subject", "sequence"),
        Index(None, "subject", "action", "sequence"),
        Index(
            "ix_ordinis_governance_ledger_pointers",
            "subject",
            "sequence",
            "at",
            sqlite_where=text(MOVED_POINTERS["sqlite"]),
            postgresql_where=text(MOVED_POINTERS["postgresql"]),
        ),
    )

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    subject: Mapped[str] = mapped_column(String(256))
    sequence: Mapped[int] = mapped_column()
    action: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcMoment)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    hashed_text: Mapped[str] = mapped_column(Text)


class HeadRow(Base):
    """The newest record of each chain; the row that writers of one chain queue on."""

    __tablename__ = "governance_heads"

    subject: Mapped[str] = mapped_column(String(256), primary_key=True)
    sequence: Mapped[int] = mapped_column()
    hash: Mapped[str] = mapped_column(String(64))


class PolicyRow(Base):
    """A policy as it was when it first decided something."""

    __tablename__ = "governance_policies"

    policy_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    policy_id: Mapped[str] = mapped_column(String(128))
    first_used_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class EvidenceRow(Base):
    """What decisions were made from, once per content."""

    __tablename__ = "governance_evidence"

    bundle_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    first_used_at: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class SegmentRow(Base):
    """A sealed file of events."""

    __tablename__ = "event_segments"
    __table_args__ = (Index("ix_ordinis_event_segments_event_type", "event_type", "day"),)

    path: Mapped[str] = mapped_column(String(512), primary_key=True)
    event_type: Mapped[str] = mapped_column(String(128))
    day: Mapped[date] = mapped_column()
    bucket: Mapped[int] = mapped_column()
    generation: Mapped[int] = mapped_column()
    rows: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    first: Mapped[datetime] = mapped_column(UtcMoment)
    last: Mapped[datetime] = mapped_column(UtcMoment)
    record: Mapped[str] = mapped_column(Text)


class OutboxRow(Base):
    """An event that waits for a bus; written with the change it reports."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    topic: Mapped[str] = mapped_column(String(128))
    event_id: Mapped[str] = mapped_column(String(256), unique=True)
    payload: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcMoment)


class AttemptRow(Base):
    """Work that failed and left no other record; runs of a tracker may be deleted, this is not."""

    __tablename__ = "failed_attempts"
    __table_args__ = (Index(None, "kind", "at"),)

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(32))
    label: Mapped[str] = mapped_column(String(256))
    subject: Mapped[str] = mapped_column(String(256))
    code: Mapped[str] = mapped_column(String(64))
    found: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcMoment)


class TraceRow(Base):
    """The trace that a dataset or an artifact was made in, for the processes that go on with it."""

    __tablename__ = "trace_contexts"

    subject: Mapped[str] = mapped_column(String(512), primary_key=True)
    traceparent: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcMoment)


TABLES = frozenset(Base.metadata.tables)
"""The names of all governance tables."""
