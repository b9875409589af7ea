"""The database behind the PostgreSQL log: how it is opened, which schema it has, what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import psycopg

from ordinis_learn.errors import ConfigInvalid, DataCorrupt, StoreUnavailable

__all__ = ["APPENDING", "SEALING", "Connection", "connect", "named", "prepare", "translated"]

Connection = psycopg.Connection[tuple[Any, ...]]

_SCHEMA_VERSION: Final = 1
# Keys of advisory locks in this database: "ordev" in ASCII, and which of them.
APPENDING: Final = 0x6F72646576_01
SEALING: Final = 0x6F72646576_02

_TABLES: Final[tuple[LiteralString, ...]] = (
    """CREATE TABLE events (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id text COLLATE "C" NOT NULL UNIQUE,
        event_type text COLLATE "C" NOT NULL,
        ts_event bigint NOT NULL,
        ts_ingest bigint NOT NULL,
        partition_key text NOT NULL,
        correlation_id text NOT NULL,
        envelope text NOT NULL,
        payload text NOT NULL
    )""",
    "CREATE INDEX events_by_type_and_time ON events (event_type, ts_event)",
    """CREATE TABLE quarantine (
        digest text PRIMARY KEY,
        code text NOT NULL,
        reason text NOT NULL,
        count bigint NOT NULL,
        first_seen bigint NOT NULL,
        last_seen bigint NOT NULL,
        raw bytea NOT NULL
    )""",
    'CREATE TABLE sealed_ids (event_id text COLLATE "C" PRIMARY KEY)',
    """CREATE TABLE segments (
        path text PRIMARY KEY,
        event_type text COLLATE "C" NOT NULL,
        first bigint NOT NULL,
        last bigint NOT NULL,
        rows bigint NOT NULL,
        last_position bigint NOT NULL,
        record text NOT NULL
    )""",
    """CREATE TABLE purges (
        event_type text NOT NULL,
        start bigint NOT NULL,
        until_position bigint NOT NULL,
        PRIMARY KEY (event_type, start)
    )""",
    "CREATE TABLE identity AS SELECT replace(gen_random_uuid()::text, '-', '') AS log_id",
    "CREATE TABLE schema_version (version integer NOT NULL)",
)


def connect(url: str) -> Connection:
    """Connect; commits wait for the disk whatever the server's default is, names are those of our schema."""
    options = "-c synchronous_commit=on -c search_path=ordinis_events -c lock_timeout=30000"
    return psycopg.connect(url, options=options, connect_timeout=10, application_name="ordinis-learn")


def named(url: str) -> str:
    """Return the log's name for messages, without a password."""
    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ConfigInvalid(
            "open the event log of LEARN_EVENTS_URL",
            found=str(error).strip(),
            next_step="set LEARN_EVENTS_URL=postgresql://user@host:5432/database",
        ) from error
    return f"the event log in PostgreSQL {parts.get('host', 'localhost')}/{parts.get('dbname', '')}"


def prepare(connection: Connection, *, asked: str) -> None:
    """Make the tables where they are not there, while no other host does; refuse those of a newer release."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (APPENDING,))
        connection.execute("CREATE SCHEMA IF NOT EXISTS ordinis_events")
        if connection.execute("SELECT to_regclass('schema_version')").fetchone() == (None,):
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version VALUES (%s)", (_SCHEMA_VERSION,))
        (version,) = connection.execute("SELECT max(version) FROM schema_version").fetchall()[0]
    if version > _SCHEMA_VERSION:
        raise StoreUnavailable(
            asked,
            found=f"its schema is {version}; this release reads up to {_SCHEMA_VERSION}",
            next_step="upgrade with: pip install --upgrade ordinis-learn",
        )


@contextmanager
def translated(asked: str) -> Iterator[None]:
    """Raise the driver's errors as ours."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise StoreUnavailable(
            asked,
            found=str(error).strip() or type(error).__name__,
            next_step="check that the server of LEARN_EVENTS_URL runs and has room, then try again",
        ) from error
    except psycopg.DatabaseError as error:
        raise DataCorrupt(
            asked,
            found=str(error).strip(),
            next_step="look at the schema ordinis_events of that database, or restore it from a backup",
        ) from error
