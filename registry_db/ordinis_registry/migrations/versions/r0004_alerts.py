"""Incidents with their facts, orders, messages and signs of life; attempts that failed; traces.

The window of a drift check is its identity.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and three columns to ``model_drift``."""
    _drift_columns()
    _alerts()
    _responses()
    _attempts_and_traces()


def _drift_columns() -> None:
    op.add_column("model_drift", sa.Column("identity", sa.String(64), nullable=True))
    op.add_column("model_drift", sa.Column("session", sa.Date(), nullable=True))
    op.add_column("model_drift", sa.Column("run_id", sa.String(64), nullable=True))
    op.create_index("ix_ordinis_model_drift_identity", "model_drift", ["identity"], unique=True)
    op.create_index(
        "ix_ordinis_model_drift_model_version_session", "model_drift", ["model", "version", "session"]
    )


def _alerts() -> None:
    op.create_table(
        "learn_alerts",
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("metric", sa.String(64), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("blocks", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name="pk_ordinis_learn_alerts"),
    )
    op.create_index("ix_ordinis_learn_alerts_subject_status", "learn_alerts", ["subject", "status"])
    op.create_index("ix_ordinis_learn_alerts_kind", "learn_alerts", ["kind"])
    op.create_table(
        "learn_alert_facts",
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("fact_id", sa.String(64), nullable=False),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_ordinis_learn_alert_facts"),
        sa.UniqueConstraint("fact_id", name="uq_ordinis_learn_alert_facts_fact_id"),
    )
    op.create_index("ix_ordinis_learn_alert_facts_alert_id", "learn_alert_facts", ["alert_id"])
    op.create_index("ix_ordinis_learn_alert_facts_subject_what", "learn_alert_facts", ["subject", "what"])


def _responses() -> None:
    op.create_table(
        "learn_responses",
        sa.Column("response_id", sa.String(64), nullable=False),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("response_id", name="pk_ordinis_learn_responses"),
    )
    op.create_index("ix_ordinis_learn_responses_status", "learn_responses", ["status"])
    op.create_index("ix_ordinis_learn_responses_alert_id", "learn_responses", ["alert_id"])
    op.create_table(
        "learn_deliveries",
        sa.Column("delivery_id", sa.String(64), nullable=False),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("route", sa.String(16), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_ordinis_learn_deliveries"),
    )
    op.create_index(
        "ix_ordinis_learn_deliveries_delivered_next_at", "learn_deliveries", ["delivered", "next_at"]
    )
    op.create_table(
        "learn_heartbeats",
        sa.Column("job", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job", name="pk_ordinis_learn_heartbeats"),
    )


def _attempts_and_traces() -> None:
    op.create_table(
        "failed_attempts",
        sa.Column("position", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("label", sa.String(256), nullable=False),
        sa.Column("subject", sa.String(256), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_ordinis_failed_attempts"),
    )
    op.create_index("ix_ordinis_failed_attempts_kind_at", "failed_attempts", ["kind", "at"])
    op.create_table(
        "trace_contexts",
        sa.Column("subject", sa.String(512), nullable=False),
        sa.Column("traceparent", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_ordinis_trace_contexts"),
    )


def downgrade() -> None:
    """Refuse: no tool forgets what was alerted, and the counters over attempts would fall."""
    raise NotImplementedError(
        "the governance tables are not dropped by a migration; restore a backup instead"
    )
