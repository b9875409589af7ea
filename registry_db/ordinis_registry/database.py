"""The governance database: where it is, how it is opened, which schema it has.

One SQLite file (WAL) or one PostgreSQL database holds MLflow's tables and ours. The two schemas are
migrated apart: ours has its own version table and never touches a table it did not create, so it
may be set up before or after MLflow's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import Session

from ordinis_learn.errors import DataCorrupt, StoreUnavailable
from ordinis_registry.models import TABLES, Base

__all__ = ["UPGRADE_LOCK", "VERSION_TABLE", "GovernanceDatabase", "begin_writing", "prepare_connections"]

VERSION_TABLE: Final = "ordinis_alembic_version"
_BUSY_MS: Final = 20_000
_PREPARED: Final = "ordinis_prepared"
UPGRADE_LOCK: Final = 0x6F7264696E6973  # "ordinis" in ASCII: the key of PostgreSQL's advisory lock


def begin_writing(session: Session) -> None:
    """Start a transaction that may write, before its first statement.

    SQLite takes the write lock at once (``BEGIN IMMEDIATE``): a transaction that reads first and asks for
    the lock later fails with "database is locked" as soon as another one has written in between.
    On PostgreSQL writers of one chain queue on its head; a wait for any lock ends after the same time.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_BUSY_MS}")


def prepare_connections(engine: sa.Engine) -> None:
    """Let every SQLite connection of an engine wait for locks, keep foreign keys and sync each commit.

    It is done when a connection is first lent, not for each transaction: MLflow sets three of these again in every
    session. Other databases need nothing.
    """
    if engine.dialect.name == "sqlite" and not event.contains(engine, "checkout", _prepare_sqlite):
        event.listen(engine, "checkout", _prepare_sqlite)


class GovernanceDatabase:
    """A handle on the governance database. Threads may share it; processes open their own.

    Parameters
    ----------
    url : str
        An SQLAlchemy URL: ``sqlite:///path`` or ``postgresql://…``. The folder of an SQLite file is made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     database = GovernanceDatabase(f"sqlite:///{folder}/ordinis.db")
    ...     database.upgrade()
    ...     database.revision() == database.newest_revision()
    ...     database.close()
    True
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parsed = sa.make_url(url)
        in_file = parsed.get_backend_name() == "sqlite"
        if in_file:
            _make_folder(parsed.database)
        self.engine = sa.create_engine(parsed, pool_pre_ping=not in_file)  # a file does not hang up
        prepare_connections(self.engine)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open one writing transaction; commit it at the end, roll it back on any error."""
        with Session(self.engine, expire_on_commit=False) as session, _translated(self.url):
            begin_writing(session)
            yield session
            session.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open one transaction for reading: it sees a single snapshot and is rolled back at the end."""
        with Session(self.engine, expire_on_commit=False) as session, _translated(self.url):
            if self.engine.dialect.name == "sqlite":
                session.execute(sa.text("BEGIN"))
            else:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    def revision(self) -> str | None:
        """Return the schema revision in the database, None where our tables are not there yet."""
        with _translated(self.url), self.engine.connect() as connection:
            return _revision_of(connection)

    def newest_revision(self) -> str:
        """Return the schema revision this release writes."""
        return str(_scripts().get_current_head())

    def upgrade(self) -> None:
        """Bring the schema to this release's revision, in one transaction; do nothing where it is.

        Raises
        ------
        StoreUnavailable
            The database cannot be opened, or was written by a newer release.
        """
        if self._is_current():
            return
        with _translated(self.url), Session(self.engine) as session:
            begin_writing(session)
            if self.engine.dialect.name == "postgresql":
                session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
            _migrate(session.connection())
            session.commit()

    def differences(self) -> list[Any]:
        """Return what differs between the tables in the database and the models, as Alembic sees it."""
        from alembic.autogenerate import compare_metadata  # noqa: PLC0415  only a check needs it

        with self.engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={"version_table": VERSION_TABLE, "include_name": _is_ours, "compare_type": True},
            )
            return list(compare_metadata(context, Base.metadata))

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()

    def _is_current(self) -> bool:
        found = self.revision()
        known = {script.revision for script in _scripts().walk_revisions()}
        if found is not None and found not in known:
            raise StoreUnavailable(
                f"open the governance database {sa.make_url(self.url).render_as_string()}",
                found=f"its schema is {found!r}, which this release does not know (newest: {self.newest_revision()!r})",
                next_step="pip install --upgrade ordinis-learn",
                revision=found,
            )
        return found == self.newest_revision()


def _make_folder(path: str | None) -> None:
    if not path or path == ":memory:":
        raise StoreUnavailable(
            "open the governance database in memory",
            found="a ledger in memory is forgotten with the process",
            next_step="give a file: sqlite:///registry_db/ordinis.db",
        )
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"make the folder of the governance database {path}",
            found=str(error),
            next_step="make the folder writable or set ORDINIS_HOME to one that is",
        ) from error


def _prepare_sqlite(connection: Any, record: Any, _proxy: Any) -> None:
    if _PREPARED in record.info:
        return
    record.info[_PREPARED] = True
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA case_sensitive_like = ON")
    # WAL lets readers go on beside the one writer; FULL syncs each commit (NORMAL would not).
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise StoreUnavailable(
            f"use the governance database {sa.make_url(url).render_as_string()}",
            found=str(error.orig),
            next_step="check that the file or server can be read and written, then try again",
        ) from error
    except DatabaseError as error:
        if "not a database" not in str(error.orig) and "malformed" not in str(error.orig):
            raise
        raise DataCorrupt(
            f"open the governance database {sa.make_url(url).render_as_string()}",
            found=str(error.orig),
            next_step="move the file away and restore it from a backup; then ordinis-learn ledger verify",
        ) from error


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", "ordinis_registry:migrations")
    return ScriptDirectory.from_config(config)


def _is_ours(name: str | None, kind: str, parents: Any) -> bool:
    del parents
    return name in TABLES if kind == "table" else True


def _revision_of(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()


def _migrate(connection: sa.Connection) -> None:
    # Alembic's env.py is left out on purpose: it would read logging settings and disable the host's loggers.
    scripts = _scripts()

    def steps(revision: Any, _context: MigrationContext) -> Any:
        return scripts._upgrade_revs("head", revision)  # noqa: SLF001  what alembic.command.upgrade passes, too

    environment = EnvironmentContext(Config(), scripts, fn=steps)
    with environment:
        environment.configure(
            connection=connection,
            target_metadata=Base.metadata,
            version_table=VERSION_TABLE,
            include_name=_is_ours,
            transactional_ddl=False,  # the caller's transaction is the only one
        )
        environment.run_migrations()
