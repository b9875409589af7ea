"""An index over the records that moved what is active: who asks for it need not read a whole chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "ix_ordinis_governance_ledger_pointers",
        "governance_ledger",
        ["subject", "sequence", "at"],
        sqlite_where=sa.text("instr(hashed_text, '\"pointers\"') > 0"),
        postgresql_where=sa.text("strpos(hashed_text, '\"pointers\"') > 0"),
    )


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_ordinis_governance_ledger_pointers", "governance_ledger")
