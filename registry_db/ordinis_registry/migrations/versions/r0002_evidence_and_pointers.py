"""Evidence as decisions saw it, by its hash; an index over the records that moved what is active.

The table of identities goes: the ledger has each of them, with who trusted it and when.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the index, and drop the copy of what the ledger says."""
    op.drop_table("governance_identities")
    op.create_table(
        "governance_evidence",
        sa.Column("bundle_hash", sa.String(64), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("bundle_hash", name="pk_ordinis_governance_evidence"),
    )
    op.create_index(
        "ix_ordinis_governance_ledger_pointers",
        "governance_ledger",
        ["subject", "sequence", "at"],
        sqlite_where=sa.text("instr(hashed_text, '\"pointers\"') > 0"),
        postgresql_where=sa.text("strpos(hashed_text, '\"pointers\"') > 0"),
    )


def downgrade() -> None:
    """Refuse: what decisions were made from is never dropped by a tool."""
    raise NotImplementedError(
        "the governance tables are not dropped by a migration; restore a backup instead"
    )
