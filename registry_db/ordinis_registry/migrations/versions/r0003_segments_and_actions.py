"""The catalogue of sealed files of events, and an index over what happened to a model.

With the index a look-up costs the same on a chain of ten and of a million records.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the index."""
    op.create_table(
        "event_segments",
        sa.Column("path", sa.String(512), nullable=False),
        sa.Column("event_type", sa.String(128), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("first", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_ordinis_event_segments"),
    )
    op.create_index("ix_ordinis_event_segments_event_type", "event_segments", ["event_type", "day"])
    op.create_index(
        "ix_ordinis_governance_ledger_subject_action_sequence",
        "governance_ledger",
        ["subject", "action", "sequence"],
    )


def downgrade() -> None:
    """Refuse: what was sealed is never forgotten by a tool."""
    raise NotImplementedError(
        "the governance tables are not dropped by a migration; restore a backup instead"
    )
