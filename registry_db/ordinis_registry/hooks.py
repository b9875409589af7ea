"""What somebody else hung on the governed tables: it runs inside our transactions, where a permit is at hand."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_registry.permits import PERMITS, SCOPE
from ordinis_registry.triggers import GUARDED, triggers_for

__all__ = ["foreign_hooks"]

_HOOKS: Final = """
WITH ours AS (
    SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relname IN :tables
)
SELECT format('DROP TRIGGER %I ON %I', t.tgname, o.relname), o.relname, t.tgname
FROM pg_trigger t JOIN ours o ON o.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT format('DROP RULE %I ON %I', r.rulename, o.relname), '', ''
FROM pg_rewrite r JOIN ours o ON o.oid = r.ev_class WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT format('DROP TABLE %s', i.inhrelid::regclass), '', '' FROM pg_inherits i JOIN ours o ON o.oid = i.inhparent
ORDER BY 1
"""


def foreign_hooks(session: Session) -> list[str]:
    """Return what somebody else hung on our tables, as SQL that takes it off again.

    A trigger of another name runs inside our own transactions, where a permit is at hand; a rule of PostgreSQL can
    swallow a ledger record; rows of a table that inherits from ours show up in ours.
    """
    written = ["governance_heads", "governance_evidence", "governance_policies", "outbox"]
    tables = [*GUARDED, PERMITS.name, SCOPE.name, *written]
    if session.get_bind().dialect.name == "postgresql":
        query = sa.text(_HOOKS).bindparams(sa.bindparam("tables", expanding=True))
    else:
        query = sa.text(
            # SQLite keeps the table's name as it was typed, in whichever case.
            "SELECT 'DROP TRIGGER \"' || name || '\"', tbl_name, name FROM sqlite_master "
            "WHERE type = 'trigger' AND lower(tbl_name) IN :tables ORDER BY name"
        ).bindparams(sa.bindparam("tables", expanding=True))
    ours = {(trigger.table, trigger.name) for trigger in triggers_for(session.get_bind().dialect.name)}
    return [drop for drop, *place in session.execute(query, {"tables": tables}) if tuple(place) not in ours]
