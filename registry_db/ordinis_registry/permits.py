"""Permits: what the triggers ask for before a governed row may change.

A permit is a row that a governed change inserts before it writes and deletes before it commits. Other connections
never see it, so there is nothing to wait for, to copy or to leave behind.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_registry.once import insert_once

__all__ = ["PERMITS", "SCOPE", "grant", "withdraw"]

_GUARDS: Final = sa.MetaData()
PERMITS: Final = sa.Table(
    "governance_permits", _GUARDS, sa.Column("subject", sa.String(256), primary_key=True)
)
"""The models that the current transaction may change."""
SCOPE: Final = sa.Table("governance_scope", _GUARDS, sa.Column("pattern", sa.Text(), primary_key=True))
"""The models that triggers guard, as patterns of the database's own kind."""

_WITHDRAW: Final = sa.delete(PERMITS)


def grant(session: Session, subject: str) -> None:
    """Let this transaction change a model's governed rows; the caller holds the head of its chain."""
    insert_once(session, PERMITS, subject=subject)


def withdraw(session: Session) -> None:
    """Take back every permit of this transaction: the last thing before its commit."""
    session.flush()
    session.execute(_WITHDRAW)
