"""A copy of the registry's tables, in a file or a database of its own, that is thrown away again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ordinis_learn.errors import StoreUnavailable
from ordinis_registry.drill_databases import drill_database

__all__ = ["copy_file", "registry_copy"]


@contextmanager
def registry_copy(url: str, *, folder: Path) -> Iterator[str]:
    """Copy a database and yield the copy's URL; what is copied is only read, and may be in use meanwhile.

    SQLite's backup takes one consistent snapshot into a file in ``folder``. On PostgreSQL the tables are copied within one
    snapshot into a new database on the same server, which needs the right to create one; it is dropped afterwards.

    Raises
    ------
    StoreUnavailable
        The database cannot be read, or no copy can be made.
    """
    try:
        if sa.make_url(url).get_backend_name() == "sqlite":
            yield copy_file(url, folder=folder)
        else:
            with _copied_tables(url) as copied:
                yield copied
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise StoreUnavailable(
            f"copy the registry {sa.make_url(url).render_as_string()} for a drill",
            found=str(getattr(error, "orig", None) or error).strip(),
            next_step="see that there is room, and that the role may create a database; then drill again",
        ) from error


def copy_file(url: str, *, folder: Path) -> str:
    """Copy an SQLite database, of one moment, into a folder; return the copy's URL."""
    source = sa.make_url(url).database
    target = folder / "registry.db"
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
    return f"sqlite:///{target}"


@contextmanager
def _copied_tables(url: str) -> Iterator[str]:
    with drill_database(url) as copied:
        _copy_tables(url, copied)
        yield copied


def _copy_tables(url: str, copied: str) -> None:
    """Make the tables as they are, without triggers (the store puts those there when it opens), and fill them."""
    source, target = sa.create_engine(url), sa.create_engine(copied)
    try:
        found = sa.MetaData()
        snapshot = source.execution_options(isolation_level="REPEATABLE READ")
        with snapshot.connect() as reading, target.begin() as writing:
            found.reflect(reading)
            found.create_all(writing)
            for table in found.sorted_tables:
                rows = reading.execution_options(yield_per=1000).execute(sa.select(table))
                for part in rows.mappings().partitions():
                    writing.execute(sa.insert(table), [dict(row) for row in part])
                _continue_numbers(writing, table)
    finally:
        source.dispose()
        target.dispose()


def _continue_numbers(writing: sa.Connection, table: sa.Table) -> None:
    """Let the next number of a column that counts be the one after the largest that was copied."""
    for column in table.primary_key.columns:
        sequence = writing.scalar(sa.select(sa.func.pg_get_serial_sequence(f'"{table.name}"', column.name)))
        if sequence is not None:
            largest = sa.select(sa.func.coalesce(sa.func.max(column), 1)).scalar_subquery()
            writing.execute(sa.select(sa.func.setval(sequence, largest)))
