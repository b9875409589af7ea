"""Find what was edited, dropped, reordered, forged or cut off in the ledger."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_registry import _stretch
from ordinis_registry._stretch import GENESIS, QUERY, Chain, Stretch, go_through, join
from ordinis_registry._texts import as_it_is
from ordinis_registry.ledger import hash_text
from ordinis_registry.models import Base, HeadRow, LedgerRow

__all__ = ["Fault", "FaultKind", "verify"]

FaultKind = Literal[
    "edited",
    "missing",
    "moved",
    "unlinked",
    "truncated",
    "beyond_head",
    "head_missing",
    "head_differs",
    "checkpoint_broken",
    "checkpoint_unsigned",
    "checkpoint_untrusted",
    "rewritten",
    "unlawful",
]

_BATCH: Final = 1000
_SQLITE_MOMENT: Final = len("2001-01-02 21:00:00.000000")
_NO_RECORD: Final = (0, GENESIS)
_PROGRAM: Final = Path(_stretch.__file__)
_WORTH_A_PROCESS: Final = 100_000
_MOST_PROCESSES: Final = 4


class _Row(NamedTuple):
    subject: str
    sequence: Any
    action: Any
    at: Any
    previous_hash: Any
    hash: Any
    hashed_text: Any


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that does not hold: where, what kind, and what was found."""

    subject: str
    sequence: int
    kind: FaultKind
    detail: str

    def __str__(self) -> str:
        """Return the sentence an operator reads."""
        return f"{self.subject} record {self.sequence}: {self.kind}: {self.detail}"


def verify(session: Session, *, processes: int | None = None) -> list[Fault]:
    """Recompute every chain and compare it with its head.

    Rows are read in one pass and not kept: memory grows with the number of chains, not of records. Where that pass
    leaves any doubt, a second one looks at each row in full and names what is wrong.

    Parameters
    ----------
    session : Session
        A reading transaction.
    processes : int, optional
        Into how many stretches the first pass is cut, each with a process of its own, on an SQLite file. By
        default up to four on a large ledger, as many as there are processors; one elsewhere.

    Returns
    -------
    list of Fault
        In order of chain and sequence; empty when everything holds. The kinds:

        edited
            The text does not have its hash, or a column says something else than the text.
        missing
            A number is skipped: a record was dropped.
        moved
            The text belongs to another place in this chain or to another chain.
        unlinked
            The record does not continue the one before it: forged or reordered.
        truncated, beyond_head, head_missing, head_differs
            The chain ends before, after or otherwise than its head row says.
    """
    with as_it_is(session):
        heads = {head.subject: head for head in session.scalars(sa.select(HeadRow))}
    ends = _ends_of(session, processes)
    if ends is not None and ends.keys() <= heads.keys():
        agree = ((head.sequence, head.hash) == ends.get(name, _NO_RECORD) for name, head in heads.items())
        if all(agree):
            return []
    with as_it_is(session):
        return _faults(session, heads)


def _faults(session: Session, heads: Mapping[str, HeadRow]) -> list[Fault]:
    """Look at every row that does not continue its chain beyond doubt."""
    chains = {subject: Chain(subject) for subject in heads}
    faults: list[Fault] = []
    low, high = _positions(session)
    for row in _rows(session, low, high):
        chain = chains.get(row[0]) or chains.setdefault(row[0], Chain(row[0]))
        if chain.continues(row):
            chain.sequence, chain.hash = row[1], row[5]
        else:  # what cannot be seen at a glance is read in full; most often it is at fault
            faults.extend(_verify_row(_Row(*row), chain))
            chain.sequence = row[1] if isinstance(row[1], int) else chain.sequence + 1
            chain.hash = row[5]
    for subject, chain in chains.items():
        faults.extend(
            _verify_head(subject, heads.get(subject), sequence=chain.sequence, newest_hash=chain.hash)
        )
    return sorted(faults, key=lambda fault: (str(fault.subject), fault.sequence))


def _ends_of(session: Session, processes: int | None) -> dict[str, tuple[int, str]] | None:
    """Return the newest record of each chain by a pass over all rows, None where it leaves a doubt."""
    low, high = _positions(session)
    parts = _processes(session, high - low) if processes is None else processes
    cuts = [low + (high - low) * part // parts for part in range(parts + 1)]
    first, *others = itertools.pairwise(cuts)
    with ExitStack() as waited_for:
        started = [waited_for.enter_context(_start(session, *stretch)) for stretch in others]
        found = [_glance(session, *first), *map(_finish, started)]
    return join(found)


def _glance(session: Session, low: int, high: int) -> Stretch | None:
    try:
        return go_through(_rows(session, low, high))
    except sqlite3.OperationalError:  # a text that is no UTF-8 leaves a doubt; what else it was is met again
        return None


def _processes(session: Session, records: int) -> int:
    if session.get_bind().dialect.name != "sqlite":
        return 1
    able = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(able, _MOST_PROCESSES, records // _WORTH_A_PROCESS))


def _start(session: Session, low: int, high: int) -> subprocess.Popen[bytes]:
    path = str(session.get_bind().engine.url.database)
    command = [sys.executable, "-I", str(_PROGRAM), path, str(low), str(high)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _finish(process: subprocess.Popen[bytes]) -> Stretch | None:
    """Return what a process found; None where it found nothing or could not look: then this one does."""
    answer, _ = process.communicate()
    found = json.loads(answer) if process.returncode == 0 else None
    return None if found is None else Stretch(*found)


def _positions(session: Session) -> tuple[int, int]:
    """Return the position before the first record, and that of the newest one in this transaction."""
    table = Base.metadata.tables[LedgerRow.__tablename__]
    low, high = session.execute(sa.select(sa.func.min(table.c.position), sa.func.max(table.c.position))).one()
    return (0, 0) if low is None else (low - 1, high)


def _rows(session: Session, low: int, high: int) -> Iterable[Any]:
    """Read the records of a stretch in order of writing, a batch at a time."""
    connection = session.connection()
    query = QUERY.format(low=low, high=high)
    if connection.dialect.name == "sqlite":  # the driver's own cursor: a tuple a row, and nothing around it
        driver: Any = connection.connection.driver_connection
        rows: Iterable[Any] = driver.execute(query)
        return rows
    options = {"stream_results": True, "yield_per": _BATCH}
    return connection.execute(sa.text(query), execution_options=options)


def _verify_row(row: _Row, chain: Chain) -> Iterator[Fault]:
    after = chain.sequence
    number = row.sequence if isinstance(row.sequence, int) else after + 1

    def fault(kind: FaultKind, detail: str, sequence: int = number) -> Fault:
        return Fault(subject=row.subject, sequence=sequence, kind=kind, detail=detail)

    if row.sequence != after + 1:
        yield fault("missing", f"the record after {after} is {row.sequence}", after + 1)
    if not isinstance(row.hashed_text, str) or hash_text(row.hashed_text) != row.hash:
        yield fault("edited", "the text does not have the recorded hash")
    said = _read(row.hashed_text)
    if (said.get("subject"), said.get("sequence")) != (row.subject, row.sequence):
        yield fault("moved", f"the text is record {said.get('sequence')} of {said.get('subject')!r}")
    odd = isinstance(row.at, str) and len(row.at) != _SQLITE_MOMENT  # a spelling that is not ours
    columns = {
        "action": row.action,
        "at": None if odd else _moment(row.at),
        "previous_hash": row.previous_hash,
    }
    told = {**said, "at": _moment(said.get("at"))}
    wrong = [name for name, value in columns.items() if value is None or told.get(name) != value]
    if wrong:
        yield fault("edited", f"the text says otherwise than the column {', '.join(wrong)}")
    if said.get("previous_hash") != chain.hash:
        yield fault("unlinked", "it does not continue the record before it")


def _verify_head(subject: str, head: HeadRow | None, *, sequence: int, newest_hash: str) -> Iterator[Fault]:
    def fault(kind: FaultKind, detail: str, at: int = sequence) -> Fault:
        return Fault(subject=subject, sequence=at, kind=kind, detail=detail)

    if head is None:
        yield fault("head_missing", "the chain has no head row")
    elif not isinstance(head.sequence, int):  # SQLite takes a text for a number
        yield fault("head_differs", f"the head ends at {head.sequence!r}")
    elif head.sequence > sequence:
        yield fault("truncated", f"records {sequence + 1}..{head.sequence} are gone", sequence + 1)
    elif head.sequence < sequence:
        yield fault("beyond_head", f"the head ends at {head.sequence}", head.sequence + 1)
    elif head.hash != newest_hash:
        yield fault("head_differs", "the newest record is not the one its head names")


def _read(text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _moment(value: Any) -> datetime | None:
    """Return a moment from a text or a column; one without an offset is SQLite's, in UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
