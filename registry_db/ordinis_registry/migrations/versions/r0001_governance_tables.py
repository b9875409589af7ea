"""The governance tables as first released."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def _records(*columns: sa.Column[object]) -> list[sa.Column[object]]:
    """Return the columns followed by the moment and the text that every record table ends with."""
    return [
        *columns,
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
    ]


def _text(name: str, length: int) -> sa.Column[object]:
    return sa.Column(name, sa.String(length), nullable=False)


def _position(name: str = "position") -> sa.Column[object]:
    return sa.Column(name, sa.Integer(), autoincrement=True, nullable=False)


def _primary(table: str, column: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(column, name=f"pk_ordinis_{table}")


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_ordinis_{table}_{'_'.join(columns)}")


def _create_catalogue() -> None:
    op.create_table(
        "model_registry",
        *_records(
            _position(),
            _text("artifact_id", 256),
            _text("name", 256),
            _text("version", 64),
            _text("model_type", 32),
            _text("artifact_sha256", 64),
        ),
        _primary("model_registry", "position"),
        _unique("model_registry", "artifact_id"),
    )
    op.create_index("ix_ordinis_model_registry_name", "model_registry", ["name"])
    op.create_index("ix_ordinis_model_registry_artifact_sha256", "model_registry", ["artifact_sha256"])
    op.create_table(
        "dataset_manifests",
        *_records(_position(), _text("dataset_id", 256), _text("version", 64), _text("content_sha256", 64)),
        _primary("dataset_manifests", "position"),
        _unique("dataset_manifests", "dataset_id", "version"),
    )
    op.create_table(
        "bench_packs",
        *_records(_text("pack_id", 256), _text("manifest_hash", 64)),
        _primary("bench_packs", "pack_id"),
    )
    op.create_table(
        "scorecards",
        *_records(_position(), _text("artifact_id", 256), _text("pack_id", 256), _text("record_hash", 64)),
        _primary("scorecards", "position"),
        _unique("scorecards", "artifact_id", "record_hash"),
    )


def _create_drift() -> None:
    op.create_table(
        "model_drift",
        *_records(
            _position(),
            _text("model", 256),
            _text("version", 64),
            sa.Column("breached", sa.Boolean(), nullable=False),
            _text("record_hash", 64),
        ),
        _primary("model_drift", "position"),
        _unique("model_drift", "model", "record_hash"),
    )
    op.create_table(
        "drift_alerts",
        *_records(_text("alert_id", 256), _text("model", 256), _text("severity", 16)),
        _primary("drift_alerts", "alert_id"),
    )
    op.create_index("ix_ordinis_drift_alerts_model", "drift_alerts", ["model"])


def _create_ledger() -> None:
    op.create_table(
        "governance_ledger",
        _position(),
        _text("subject", 256),
        sa.Column("sequence", sa.Integer(), nullable=False),
        _text("action", 64),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _text("previous_hash", 64),
        _text("hash", 64),
        sa.Column("hashed_text", sa.Text(), nullable=False),
        _primary("governance_ledger", "position"),
        _unique("governance_ledger", "subject", "sequence"),
    )
    op.create_table(
        "governance_heads",
        _text("subject", 256),
        sa.Column("sequence", sa.Integer(), nullable=False),
        _text("hash", 64),
        _primary("governance_heads", "subject"),
    )


def _create_trust() -> None:
    op.create_table(
        "governance_identities",
        _text("key_id", 128),
        _text("name", 256),
        sa.Column("record", sa.Text(), nullable=False),
        _primary("governance_identities", "key_id"),
    )
    op.create_table(
        "governance_policies",
        _text("policy_hash", 64),
        _text("policy_id", 128),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        _primary("governance_policies", "policy_hash"),
    )
    op.create_table(
        "outbox",
        _position("id"),
        _text("topic", 128),
        _text("event_id", 256),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _primary("outbox", "id"),
        _unique("outbox", "event_id"),
    )


def upgrade() -> None:
    """Create every table."""
    _create_catalogue()
    _create_drift()
    _create_ledger()
    _create_trust()


def downgrade() -> None:
    """Refuse: a ledger is never dropped by a tool."""
    raise NotImplementedError(
        "the governance tables are not dropped by a migration; restore a backup instead"
    )
