"""The databases that drills make on a PostgreSQL server, and those that a killed drill left there.

A living drill holds an advisory lock for its database, in the registry's own database: the server lets go of it when the process
is gone, however that ended. So whoever gets the lock knows that the owner is dead. Advisory locks are per database, and other registries
may be on the same server, so a name says whose it is.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["abandoned_databases", "drill_database", "drop_abandoned"]

_PREFIX: Final = "ordinis_drill_"
_TRY: Final = sa.text("SELECT pg_try_advisory_lock(:key)")
_RELEASE: Final = sa.text("SELECT pg_advisory_unlock(:key)")
_NAMES: Final = sa.text("SELECT datname FROM pg_database WHERE datname LIKE :pattern ORDER BY datname")
_IN_USE: Final = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name")


@contextmanager
def drill_database(url: str) -> Iterator[str]:
    """Make an empty database on the server of another one and yield its URL; it is dropped afterwards."""
    parsed = sa.make_url(url)
    name = f"{_own_prefix(parsed)}{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(parsed, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    try:
        with admin.connect() as connection:  # held for as long as the database is: the lock hangs on it
            connection.execute(_TRY, {"key": _key(name)})
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
            try:
                yield parsed.set(database=name).render_as_string(hide_password=False)
            finally:
                connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        admin.dispose()


def abandoned_databases(url: str) -> list[str]:
    """Return the databases whose drill is dead, and those of before that name no owner and are used by nobody."""
    return [name for name, _ in _abandoned(url, drop=False)]


def drop_abandoned(url: str) -> list[str]:
    """Drop the databases whose drill is dead; return which. One that somebody else is connected to stays."""
    return [name for name, dropped in _abandoned(url, drop=True) if dropped]


def _abandoned(url: str, *, drop: bool) -> list[tuple[str, bool]]:
    parsed = sa.make_url(url)
    own = _own_prefix(parsed)
    admin = sa.create_engine(
        parsed,
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
        connect_args={"connect_timeout": 5},
    )
    found: list[tuple[str, bool]] = []
    try:
        with admin.connect() as connection:
            for name in connection.scalars(_NAMES, {"pattern": f"{_PREFIX}%"}).all():
                if name.startswith(own):
                    if not connection.scalar(_TRY, {"key": _key(name)}):
                        continue  # its drill lives
                    found.append((name, drop and _drop(connection, name)))
                    connection.execute(_RELEASE, {"key": _key(name)})
                elif name.count("_") == _PREFIX.count("_") and not connection.scalar(_IN_USE, {"name": name}):
                    found.append((name, False))  # made by an earlier release: nobody can know whose it is
    finally:
        admin.dispose()
    return found


def _drop(connection: sa.Connection, name: str) -> bool:
    try:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}"')
    except SQLAlchemyError:
        return False  # somebody looks into it, or it is another role's
    return True


def _own_prefix(url: sa.URL) -> str:
    whose = hashlib.sha256(str(url.database).encode()).hexdigest()[:8]
    return f"{_PREFIX}{whose}_"


def _key(name: str) -> int:
    """Return the key of a name's advisory lock: 64 bits, signed."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
