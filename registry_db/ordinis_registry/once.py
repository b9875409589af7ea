"""Insert a row that another transaction may be inserting at the same moment."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ordinis_registry.models import Base

__all__ = ["insert_once"]


def insert_once(session: Session, row_type: type[Base], **values: Any) -> None:
    """Insert a row unless one with its key is there, or about to be: then wait for that one and do nothing.

    Looking first and inserting after would let two transactions on PostgreSQL insert the same key, and the later
    one fail though nothing is wrong.
    """
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(row_type).values(**values).on_conflict_do_nothing())
