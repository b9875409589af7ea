"""Insert a row that another transaction may be inserting at the same moment."""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ordinis_registry.models import Base

__all__ = ["insert_once", "replace_row"]


def insert_once(session: Session, table: type[Base] | sa.Table, **values: Any) -> None:
    """Insert a row unless one with its key is there, or about to be: then wait for that one and do nothing.

    Looking first and inserting after would let two transactions on PostgreSQL insert the same key, and the later
    one fail though nothing is wrong.
    """
    session.execute(_statement(session.get_bind().dialect.name, table), values)


def replace_row(session: Session, table: type[Base], **values: Any) -> None:
    """Insert a row, or give the one with its primary key these values; of two that come at once, the later stands."""
    of_dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    rows = Base.metadata.tables[table.__tablename__]
    insert = of_dialect.insert(rows)
    fresh = {name: insert.excluded[name] for name in values if name not in rows.primary_key.columns}
    session.execute(insert.on_conflict_do_update(index_elements=rows.primary_key.columns, set_=fresh), values)


@cache
def _statement(dialect: str, table: type[Base] | sa.Table) -> sa.Executable:
    of_dialect: Any = postgresql if dialect == "postgresql" else sqlite
    rows = table if isinstance(table, sa.Table) else Base.metadata.tables[table.__tablename__]
    insert: sa.Executable = of_dialect.insert(rows).on_conflict_do_nothing()
    return insert
