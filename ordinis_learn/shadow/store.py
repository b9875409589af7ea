"""What both models said, and up to which position of the log: one SQLite file per version.

Contract: :meth:`ShadowStore.append` keeps rows and the new position in one durable transaction (write-ahead log,
``synchronous=FULL``), or nothing; a row's position in the log is its key, so no event is kept twice. Rows are never changed or removed:
triggers refuse it. One process writes, one of its threads at a time (:func:`~ordinis_learn.shadow.lock.sole_runner`); any number may read
meanwhile, each from one consistent state. Parquet segments were the alternative: a segment and a position are two files, and no rename
covers both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import ConfigInvalid, DataCorrupt, StoreUnavailable

__all__ = ["Said", "ScoredRow", "ShadowIdentity", "ShadowStore"]

_VERSION: Final = 1
_BUSY_SECONDS: Final = 30.0
_SIDE: Final = """{0}_outcome TEXT, {0}_direction REAL, {0}_confidence REAL, {0}_expected_return REAL,
    {0}_latency_us REAL, {0}_call INTEGER, {0}_error TEXT"""
_SCHEMA: Final = (
    "CREATE TABLE identity (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE progress (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL)",
    f"""CREATE TABLE scored (
        position INTEGER PRIMARY KEY, event_id TEXT NOT NULL, symbol TEXT NOT NULL,
        ts_event INTEGER NOT NULL, ts_ingest INTEGER NOT NULL, scored_at INTEGER NOT NULL,
        volatility REAL, {_SIDE.format("candidate")}, active_version TEXT, {_SIDE.format("active")})""",
    """CREATE TRIGGER scored_is_not_changed BEFORE UPDATE ON scored
        BEGIN SELECT RAISE(ABORT, 'what a shadow has said is not changed'); END""",
    """CREATE TRIGGER scored_is_not_removed BEFORE DELETE ON scored
        BEGIN SELECT RAISE(ABORT, 'what a shadow has said is not removed'); END""",
    """CREATE TRIGGER progress_goes_forward BEFORE UPDATE ON progress WHEN NEW.position <= OLD.position
        BEGIN SELECT RAISE(ABORT, 'a position does not go back'); END""",
)


@dataclass(frozen=True, kw_only=True)
class ShadowIdentity:
    """What a file of predictions is about; it goes on only with the same.

    ``log`` tells the event log from every other, "" where a log has no name.
    """

    name: str
    version: str
    artifact_sha256: str
    source: str
    log: str


class Said(NamedTuple):
    """One model about one event. ``call`` is the position of the first row of the call that held it."""

    outcome: str | None = None
    direction: float | None = None
    confidence: float | None = None
    expected_return: float | None = None
    latency_us: float | None = None
    call: int | None = None
    error: str | None = None


class ScoredRow(NamedTuple):
    """One event and what candidate and active model said of it; times in microseconds since 1970 (UTC)."""

    position: int
    event_id: str
    symbol: str
    ts_event: int
    ts_ingest: int
    scored_at: int
    volatility: float | None
    candidate: Said
    active_version: str | None
    active: Said


_WIDTH: Final = 6 + 1 + 7 + 1 + 7
_INSERT: Final = f"INSERT INTO scored VALUES ({', '.join('?' * _WIDTH)})"  # noqa: S608  only question marks


class ShadowStore:
    """The predictions of one shadow run.

    Parameters
    ----------
    path : Path
        The file; a writer makes it and its folder when absent.
    identity : ShadowIdentity, optional
        What is written; without it the file is read only and must be there.

    Raises
    ------
    ConfigInvalid
        The file is about another version, other bytes, another source or another log.
    StoreUnavailable
        The file cannot be used.
    DataCorrupt
        The file is damaged or something else.
    """

    def __init__(self, path: Path, *, identity: ShadowIdentity | None = None) -> None:
        self._path = path
        mode = "ro" if identity is None else "rwc"
        with self._translated("open"):
            if identity is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode={mode}",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            if identity is not None:
                self._prepare(identity)
            self._check_format()
            if identity is not None:
                self._check_identity(identity)
        except BaseException:
            self._connection.close()
            raise

    @property
    def position(self) -> int:
        """The position of the log up to which everything is kept."""
        return self._one("SELECT position FROM progress")

    @property
    def identity(self) -> ShadowIdentity:
        """What the file is about."""
        with self._translated("read"):
            return ShadowIdentity(**dict(self._connection.execute("SELECT key, value FROM identity")))

    def append(self, rows: Sequence[ScoredRow], *, after: int, position: int) -> None:
        """Keep rows and the position that they reach, both or neither.

        ``after`` is the position that they were read from; StoreUnavailable where the file has moved on from it.
        """
        flat = [(*row[:7], *row.candidate, row.active_version, *row.active) for row in rows]
        with self._translated("append to"), self._transaction() as connection:
            moved = connection.execute(
                "UPDATE progress SET position = ? WHERE position = ?", (position, after)
            )
            if moved.rowcount != 1:
                raise StoreUnavailable(
                    f"append to the shadow predictions {self._path}",
                    found=f"they are not at position {after} any more: somebody else has written",
                    next_step="let one runner write; run the shadow again",
                )
            connection.executemany(_INSERT, flat)

    def columns(self, *, until: int | None = None) -> dict[str, npt.NDArray[np.generic]]:
        """Return the kept rows by position as one array per column; texts are objects, an absent number is NaN."""
        with self._translated("read"):
            cursor = self._connection.execute(
                "SELECT * FROM scored WHERE position <= ? ORDER BY position",
                (until if until is not None else (1 << 63) - 1,),
            )
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        columns = zip(*rows, strict=True) if rows else ([] for _ in names)
        return {name: _array(name, values) for name, values in zip(names, columns, strict=True)}

    def close(self) -> None:
        """Release the file; calling again does nothing."""
        self._connection.close()

    def _prepare(self, identity: ShadowIdentity) -> None:
        with self._translated("open"):
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            with self._transaction() as connection:
                if connection.execute("PRAGMA user_version").fetchone()[0]:
                    return
                for statement in _SCHEMA:
                    connection.execute(statement)
                told = [(field.name, getattr(identity, field.name)) for field in fields(identity)]
                connection.executemany("INSERT INTO identity VALUES (?, ?)", told)
                connection.execute("INSERT INTO progress VALUES (1, 0)")
                connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done within, or nothing of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _check_format(self) -> None:
        found = self._one("PRAGMA user_version")
        if found != _VERSION:
            raise DataCorrupt(
                f"open the shadow predictions {self._path}",
                found=f"format {found}; this release knows {_VERSION}",
                next_step="pip install --upgrade ordinis-learn, or move the file away and run the shadow again",
            )

    def _check_identity(self, identity: ShadowIdentity) -> None:
        known = self.identity
        for field in fields(identity):
            was, is_now = getattr(known, field.name), getattr(identity, field.name)
            if was != is_now:
                raise ConfigInvalid(
                    f"go on with the shadow of {identity.name} {identity.version}",
                    found=f"{self._path} was begun with {field.name} {was!r}, asked is {is_now!r}",
                    next_step=f"run it as it was begun, or move {self._path} away and begin again",
                )

    def _one(self, query: str) -> int:
        with self._translated("read"):
            row = self._connection.execute(query).fetchone()
        if row is None:
            raise DataCorrupt(
                f"read the shadow predictions {self._path}",
                found="they have no position",
                next_step="restore the file from a backup, or move it away and run the shadow again",
            )
        return int(row[0])

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        asked = f"{doing} the shadow predictions {self._path}"
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.ProgrammingError, OSError) as error:
            raise StoreUnavailable(
                asked,
                found=str(error),
                next_step=f"see that {self._path.parent} can be written and its disk has room, then run it again",
            ) from error
        except sqlite3.DatabaseError as error:
            raise DataCorrupt(
                asked,
                found=str(error),
                next_step="restore the file from a backup, or move it away and run the shadow again",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_TEXTS: Final = ("event_id", "symbol", "active_version")
_INTEGERS: Final = ("position", "ts_event", "ts_ingest", "scored_at")


def _array(name: str, values: Sequence[object]) -> npt.NDArray[np.generic]:
    if name in _TEXTS or name.endswith(("_outcome", "_error")):
        texts = np.empty(len(values), dtype=object)
        texts[:] = values
        return texts
    return np.array(values, dtype=np.int64 if name in _INTEGERS else np.float64)
