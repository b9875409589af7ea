"""Attempts that failed, and the traces that datasets and artifacts were made in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0004_observe"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two tables."""
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
    """Refuse: the counters that stand on these rows would fall."""
    raise NotImplementedError(
        "the governance tables are not dropped by a migration; restore a backup instead"
    )
