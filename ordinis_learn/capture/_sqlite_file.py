"""The file behind the SQLite log: how it is opened, which schema it has, what its errors mean."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from ordinis_learn.errors import DataCorrupt, StoreUnavailable

__all__ = ["connect", "is_busy", "prepare", "translated"]

_BUSY_SECONDS: Final = 30.0

# AUTOINCREMENT: a position is not given out again after its event has moved to a sealed file.
_SCHEMA_1: Final = (
    """CREATE TABLE events (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL UNIQUE,
        event_type TEXT NOT NULL,
        ts_event INTEGER NOT NULL,
        ts_ingest INTEGER NOT NULL,
        partition_key TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        envelope TEXT NOT NULL,
        payload TEXT NOT NULL
    )""",
    "CREATE INDEX events_by_type_and_time ON events (event_type, ts_event)",
    """CREATE TABLE quarantine (
        digest TEXT PRIMARY KEY,
        code TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        raw BLOB NOT NULL
    ) WITHOUT ROWID""",
)

# sealed_ids was the memory of what was sealed until schema 3.
# purges names the hot rows that readers no longer see because a sealed file has them.
_SCHEMA_2: Final = (
    "CREATE TABLE identity AS SELECT lower(hex(randomblob(16))) AS log_id",
    "CREATE TABLE sealed_ids (event_id TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE segments (
        path TEXT PRIMARY KEY,
        event_type TEXT NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        record TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE purges (
        event_type TEXT NOT NULL,
        start INTEGER NOT NULL,
        until_position INTEGER NOT NULL,
        PRIMARY KEY (event_type, start)
    ) WITHOUT ROWID""",
)

# known_ids has every event's id for good: an event that comes again is known by it, hot or sealed. The ids
# are not indexed in events a second time, so sealed rows leave from where they lie, and nothing is copied.
# The newest position may belong to a sealed event: the counter of positions moves with the table.
_SCHEMA_3: Final = (
    "CREATE TABLE known_ids (event_id TEXT PRIMARY KEY) WITHOUT ROWID",
    """INSERT INTO known_ids
        SELECT event_id FROM events UNION SELECT event_id FROM sealed_ids ORDER BY event_id""",
    "DROP TABLE sealed_ids",
    "DROP INDEX events_by_type_and_time",
    "ALTER TABLE events RENAME TO events_of_schema_2",
    """CREATE TABLE events (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL,
        event_type TEXT NOT NULL,
        ts_event INTEGER NOT NULL,
        ts_ingest INTEGER NOT NULL,
        partition_key TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        envelope TEXT NOT NULL,
        payload TEXT NOT NULL
    )""",
    "INSERT INTO events SELECT * FROM events_of_schema_2 ORDER BY position",
    "DELETE FROM sqlite_sequence WHERE name = 'events'",
    """INSERT INTO sqlite_sequence SELECT 'events', seq FROM sqlite_sequence
        WHERE name = 'events_of_schema_2'""",
    "DROP TABLE events_of_schema_2",
    "CREATE INDEX events_by_type_and_time ON events (event_type, ts_event)",
)

_STEPS: Final = (_SCHEMA_1, _SCHEMA_2, _SCHEMA_3)
_SCHEMA_VERSION: Final = len(_STEPS)


def connect(path: Path, *, mode: Literal["rw", "rwc"]) -> sqlite3.Connection:
    """Open the file, syncing at each commit; only mode ``rwc`` makes one that is not there."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make or upgrade the tables; leave a file that is not ours as it is."""
    if _version(connection, path) == _SCHEMA_VERSION:
        return
    _switch_to_wal(connection)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for step in _STEPS[_version(connection, path) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def is_busy(error: BaseException | None) -> bool:
    """Whether another process held the file's lock for too long."""
    locked = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in locked


@contextmanager
def translated(asked: str, path: Path) -> Iterator[None]:
    """Raise SQLite's errors as ours."""
    asked = f"{asked} {path}"
    try:
        yield
    except sqlite3.ProgrammingError as error:
        raise StoreUnavailable(asked, found=str(error), next_step="open the event log again") from error
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(asked, found=str(error), next_step=_remedy(error, path)) from error
    except sqlite3.DatabaseError as error:
        raise DataCorrupt(
            asked, found=str(error), next_step=f"move {path} away, or restore it from a backup"
        ) from error
    except OSError as error:
        raise StoreUnavailable(asked, found=str(error), next_step=_writable(path)) from error


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    asked = f"open the event log {path}"
    if version > _SCHEMA_VERSION:
        raise StoreUnavailable(
            asked,
            found=f"its schema is {version}; this release reads up to {_SCHEMA_VERSION}",
            next_step="upgrade with: pip install --upgrade ordinis-learn",
        )
    if not version and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise DataCorrupt(
            asked,
            found="a SQLite database with other tables",
            next_step="move the file away, or set ORDINIS_HOME to another folder",
        )
    return version


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Ask for the write-ahead log; SQLite does not wait by itself when another process asks too."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _remedy(error: sqlite3.OperationalError, path: Path) -> str:
    match error.sqlite_errorcode & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "wait for the other writer to finish, or stop it, and try again"
        case sqlite3.SQLITE_FULL:
            return f"free some space on the disk of {path.parent} and try again"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return _writable(path)
        case _:
            return f"check the disk of {path.parent} and try again"


def _writable(path: Path) -> str:
    return f"make {path.parent} a folder you may write to, or set ORDINIS_HOME to one"
