"""Triggers that refuse to change governed rows behind the store.

They stop what does not go through a governed change: a plain ``sqlite:///`` or ``postgresql://`` client of
MLflow on the same database, and SQL typed by hand. Whoever may write any SQL can also drop a trigger or forge a
permit; what that leaves behind is found by :mod:`ordinis_registry.reconciliation` and by checkpoints.

The tables of permits and of scope are made with the triggers, not by a migration: they hold nothing that must be
kept, and all of it is checked and mended together whenever a store starts. That is needed because
``mlflow db upgrade`` rebuilds tables on SQLite, and a rebuilt table has lost its triggers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.records import Actor
from ordinis_registry import ledger
from ordinis_registry.database import UPGRADE_LOCK, GovernanceDatabase
from ordinis_registry.permits import PERMITS, SCOPE
from ordinis_registry.subjects import SUBJECT_SQL

__all__ = ["GUARDED", "TRIGGERS", "Trigger", "guard", "missing_triggers", "triggers_for"]

_GATE: Final = (
    "E_LEARN_ROLLOUT_DENIED: change a governed model in {table}: it did not come through the governed "
    "store. Next: use MLFLOW_REGISTRY_URI=ordinis+sqlite:///... (or ordinis+postgresql://...), or the "
    "server that runs on it, and ask for the state with transition_model_version_stage"
)
_APPEND_ONLY: Final = (
    "E_LEARN_ROLLOUT_DENIED: change what {table} holds: it is append-only. "
    "Next: leave it as it is; ordinis-learn ledger verify says whether it holds"
)
_STATES: Final = "lower(trim({row}.alias)) IN ('active', 'shadow', 'last_known_good')"
_NAMESPACE: Final = "substr(lower(trim({row}.key)), 1, 8) = 'ordinis.'"
_PERMITTED: Final = f"{SUBJECT_SQL} IN (SELECT subject FROM governance_permits)"  # noqa: S608  constants
_SAME_KEY: Final = (
    "EXISTS (SELECT 1 FROM model_versions WHERE workspace = NEW.workspace AND name = NEW.name"
    " AND version = NEW.version)"
)


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """One event on one table that is refused; ``rows`` whose models must be permitted, none for nobody's."""

    table: str
    event: str
    condition: str
    rows: tuple[str, ...]

    @property
    def name(self) -> str:
        """The trigger's name in the database."""
        return f"ordinis_{self.table}_{self.event.lower()}"

    @property
    def message(self) -> str:
        """What the refused caller reads."""
        text = _APPEND_ONLY if self.table == "governance_ledger" else _GATE
        return text.format(table=self.table)

    def refuses(self, match: str) -> str:
        """Return the condition in SQL; ``match`` compares ``{row}.name`` with a pattern of the scope."""
        if not self.rows:
            return self.condition
        scope = f"EXISTS (SELECT 1 FROM governance_scope WHERE {match})"  # noqa: S608  constants of this file
        stray = " OR ".join(
            f"({scope.format(row=row)} AND NOT {_PERMITTED.format(row=row)})" for row in self.rows
        )
        return f"({self.condition}) AND ({stray})"


def _changed(*columns: str) -> str:
    return " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns)


def _on_rows(table: str, governed: str) -> Iterator[Trigger]:
    """Yield the triggers of a table where some rows are governed."""
    new, old = governed.format(row="NEW"), governed.format(row="OLD")
    yield Trigger(table=table, event="INSERT", condition=new, rows=("NEW",))
    yield Trigger(table=table, event="UPDATE", condition=f"{new} OR {old}", rows=("NEW", "OLD"))
    yield Trigger(table=table, event="DELETE", condition=old, rows=("OLD",))


def _append_only(table: str, taken: str) -> Iterator[Trigger]:
    """Yield the triggers of a table whose rows stay; ``taken`` finds the row that a REPLACE would drop."""
    for event, condition in (("INSERT", taken), ("UPDATE", "1 = 1"), ("DELETE", "1 = 1")):
        yield Trigger(table=table, event=event, condition=condition, rows=())


_ROW_ID: Final = {
    "INSERT": " OR EXISTS (SELECT 1 FROM {table} WHERE rowid = NEW.rowid)",
    "UPDATE": " OR NEW.rowid IS NOT OLD.rowid",
}
_SEARCH_PATH: Final = sa.text("SELECT 'pg_catalog, ' || quote_ident(current_schema()) || ', pg_temp'")
_VERSION: Final = ("current_stage", "source", "storage_location", "run_id", "version", "name", "workspace")
TRIGGERS: Final = (
    # SQLite's REPLACE deletes without a DELETE trigger, hence the look at the key.
    Trigger(
        table="model_versions",
        event="INSERT",
        condition=f"NEW.current_stage IS DISTINCT FROM 'None' OR {_SAME_KEY}",
        rows=("NEW",),
    ),
    Trigger(table="model_versions", event="UPDATE", condition=_changed(*_VERSION), rows=("NEW", "OLD")),
    Trigger(table="model_versions", event="DELETE", condition="1 = 1", rows=("OLD",)),
    Trigger(
        table="registered_models",
        event="UPDATE",
        condition=_changed("name", "workspace"),
        rows=("NEW", "OLD"),
    ),
    Trigger(table="registered_models", event="DELETE", condition="1 = 1", rows=("OLD",)),
    *_on_rows("registered_model_aliases", _STATES),
    *_on_rows("model_version_tags", _NAMESPACE),
    *_on_rows("registered_model_tags", _NAMESPACE),
    *_append_only(
        "governance_ledger",
        "EXISTS (SELECT 1 FROM governance_ledger WHERE position = NEW.position"
        " OR (subject = NEW.subject AND sequence = NEW.sequence))",
    ),
)

# SQLite lets an INSERT name the hidden row id, and a REPLACE then drops whatever row has it.
_BY_ROW_ID: Final = Trigger(table="registered_models", event="INSERT", condition="1 = 0", rows=())
GUARDED: Final = tuple(dict.fromkeys(trigger.table for trigger in TRIGGERS))
# PostgreSQL empties a table without looking at its rows.
_TRUNCATIONS: Final = tuple(
    Trigger(
        table=table,
        event="TRUNCATE",
        condition="1 = 1" if table == "governance_ledger" else "EXISTS (SELECT 1 FROM governance_scope)",
        rows=(),
    )
    for table in GUARDED
)


def triggers_for(dialect: str) -> tuple[Trigger, ...]:
    """Return the triggers a kind of database needs."""
    return (*TRIGGERS, *_TRUNCATIONS) if dialect == "postgresql" else (*TRIGGERS, _BY_ROW_ID)


def guard(database: GovernanceDatabase, patterns: Iterable[str], *, actor: Actor, at: datetime) -> list[str]:
    """Make the triggers that are missing or altered; return their names, none where all is as it should be.

    Parameters
    ----------
    database : GovernanceDatabase
        With MLflow's tables and ours, both upgraded.
    patterns : iterable of str
        Names of governed models as shell patterns, compared without case; letters beyond ASCII as they are.
    actor : Actor
        Who starts the store.
    at : datetime
        Now, aware. What had to be mended, and another scope than the one before, is put into the ledger.
    """
    dialect = database.engine.dialect.name
    wanted = sorted({_native(pattern, dialect) for pattern in patterns})
    with database.reading() as session:
        if not missing_triggers(session) and _scope(session) == wanted:
            return []
    with database.session() as session:
        if dialect == "postgresql":
            session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        known = sa.inspect(session.connection()).has_table(SCOPE.name)
        before = _scope(session)
        made = _install(session, wanted)
        happened = [("triggers.mended", {"triggers": made})] if made else []
        if before != wanted:
            happened.append(("scope.changed", {"before": before, "after": wanted}))
        for action, body in happened if known else ():
            ledger.append(session, subject=ledger.EVERYTHING, action=action, actor=actor, at=at, body=body)
    return made


def _install(session: Session, wanted: list[str]) -> list[str]:
    dialect = session.get_bind().dialect.name
    for table in (PERMITS, SCOPE):
        table.create(session.connection(), checkfirst=True)
    session.execute(sa.delete(SCOPE))
    session.execute(sa.insert(SCOPE), [{"pattern": pattern} for pattern in wanted])
    made = missing_triggers(session)
    path = session.scalar(_SEARCH_PATH) if dialect == "postgresql" else ""
    for trigger in triggers_for(dialect):
        if trigger.name in made:
            for statement in _postgres(trigger, path) if dialect == "postgresql" else _sqlite(trigger):
                session.connection().exec_driver_sql(statement)
    return made


def missing_triggers(session: Session) -> list[str]:
    """Return the names of triggers that are not there as they should be."""
    dialect = session.get_bind().dialect.name
    if dialect == "postgresql":
        # By its whole definition: one of our name could hang on another table, or fire under a condition only.
        query = (
            "SELECT replace(pg_get_triggerdef(t.oid), quote_ident(n.nspname) || '.', ''), p.prosrc"
            " FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE t.tgenabled = 'A' AND n.nspname = current_schema()"
            " AND array_to_string(p.proconfig, ';') = "
            "'search_path=pg_catalog, ' || quote_ident(current_schema()) || ', pg_temp'"
        )
        expected = {trigger: (_definition(trigger), _body(trigger)) for trigger in triggers_for(dialect)}
    else:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        expected = {trigger: (trigger.name, _sqlite(trigger)[-1]) for trigger in triggers_for(dialect)}
    found = set(map(tuple, session.execute(sa.text(query))))
    return [trigger.name for trigger, text in expected.items() if text not in found]


def _scope(session: Session) -> list[str]:
    if not sa.inspect(session.connection()).has_table(SCOPE.name):
        return []
    return sorted(session.scalars(sa.select(SCOPE.c.pattern)))


def _sqlite(trigger: Trigger) -> list[str]:
    # IS DISTINCT FROM came to SQLite with 3.39; IS NOT means the same there.
    condition = trigger.refuses("lower({row}.name) GLOB pattern").replace("IS DISTINCT FROM", "IS NOT")
    condition = f"({condition}){_ROW_ID.get(trigger.event, '').format(table=trigger.table)}"
    return [
        f"DROP TRIGGER IF EXISTS {trigger.name}",
        (
            f"CREATE TRIGGER {trigger.name} BEFORE {trigger.event} ON {trigger.table} "
            f"WHEN {condition} BEGIN SELECT RAISE(ABORT, '{trigger.message}'); END"
        ),
    ]


def _postgres(trigger: Trigger, search_path: str) -> list[str]:
    # ALWAYS: session_replication_role = replica does not silence them. The path is fixed, or a temporary table of
    # the same name as ours would be read instead of ours.
    return [
        (
            f"CREATE OR REPLACE FUNCTION {trigger.name}() RETURNS trigger LANGUAGE plpgsql "
            f"SET search_path = {search_path} AS $ordinis${_body(trigger)}$ordinis$"
        ),
        f"DROP TRIGGER IF EXISTS {trigger.name} ON {trigger.table}",
        _definition(trigger),
        f"ALTER TABLE {trigger.table} ENABLE ALWAYS TRIGGER {trigger.name}",
    ]


def _definition(trigger: Trigger) -> str:
    """Return what makes a trigger, as PostgreSQL writes it down."""
    each = "STATEMENT" if trigger.event == "TRUNCATE" else "ROW"
    return (
        f"CREATE TRIGGER {trigger.name} BEFORE {trigger.event} ON {trigger.table} "
        f"FOR EACH {each} EXECUTE FUNCTION {trigger.name}()"
    )


def _body(trigger: Trigger) -> str:
    row = {"DELETE": "OLD", "TRUNCATE": "NULL"}.get(trigger.event, "NEW")
    return (
        f" BEGIN IF {trigger.refuses('lower({row}.name) ~ pattern')} THEN "
        f"RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = '{trigger.message}'; "
        f"END IF; RETURN {row}; END "
    )


def _native(pattern: str, dialect: str) -> str:
    """Return a shell pattern as SQLite's GLOB or PostgreSQL's regular expression understand it.

    Examples
    --------
    >>> _native("SP500_[!x]*", "sqlite"), _native("SP500_[!x]*", "postgresql")
    ('sp500_[^x]*', '^sp500_[^x].*$')
    """
    folded = re.sub(r"\[!", "[^", pattern.strip().lower())
    if dialect != "postgresql":
        return folded
    parts = re.split(r"(\*|\?|\[\^?\]?[^]]*\])", folded)
    kinds = {"*": ".*", "?": "."}
    text = [kinds.get(part, part if part.startswith("[") else re.escape(part)) for part in parts]
    return f"^{''.join(text)}$"
