"""An index over what happened to a model, so that a look-up costs the same on a chain of ten and of a million records."""

from __future__ import annotations

from alembic import op

revision = "r0006"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index(
        "ix_ordinis_governance_ledger_subject_action_sequence",
        "governance_ledger",
        ["subject", "action", "sequence"],
    )


def downgrade() -> None:
    """Refuse: the governance tables are never stepped back by a tool."""
    raise NotImplementedError(
        "the governance tables are not dropped by a migration; restore a backup instead"
    )
