"""Evidence as decisions saw it, by its hash."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0002_evidence"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "governance_evidence",
        sa.Column("bundle_hash", sa.String(64), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("bundle_hash", name="pk_ordinis_governance_evidence"),
    )


def downgrade() -> None:
    """Refuse: what decisions were made from is never dropped by a tool."""
    raise NotImplementedError(
        "the governance tables are not dropped by a migration; restore a backup instead"
    )
