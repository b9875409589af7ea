"""Find what was edited, dropped, reordered, forged or cut off in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_registry.ledger import DOMAIN, GENESIS, hash_text
from ordinis_registry.models import HeadRow

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
_DOMAIN: Final = DOMAIN.encode("ascii") + b"\x00"
# In order of writing, which is each chain's own order too: ordered by chain, every row costs a second look-up.
# Without the models' types: turning a million texts into moments costs more than hashing them.
_QUERY: Final = (
    "SELECT subject, sequence, action, at, previous_hash, hash, hashed_text"
    " FROM governance_ledger ORDER BY position"
)


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


def verify(session: Session) -> list[Fault]:
    """Recompute every chain and compare it with its head.

    Rows are read in one pass and not kept: memory grows with the number of chains, not of records.

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
    heads = {head.subject: head for head in session.scalars(sa.select(HeadRow))}
    chains = {subject: _Chain(subject) for subject in heads}
    faults: list[Fault] = []
    for row in _rows(session):
        chain = chains.get(row[0]) or chains.setdefault(row[0], _Chain(row[0]))
        if chain.continues(row):
            chain.sequence, chain.hash = row[1], row[5]
        else:  # what cannot be seen at a glance is read in full; most often it is at fault
            faults.extend(_verify_row(_Row(*row), chain))
            chain.advance(_Row(*row))
    for subject, chain in chains.items():
        faults.extend(
            _verify_head(subject, heads.get(subject), sequence=chain.sequence, newest_hash=chain.hash)
        )
    return sorted(faults, key=lambda fault: (str(fault.subject), fault.sequence))


def _rows(session: Session) -> Iterable[Any]:
    """Read all records in order of writing, a batch at a time."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":  # the driver's own cursor: a tuple a row, and nothing around it
        driver: Any = connection.connection.driver_connection
        rows: Iterable[Any] = driver.execute(_QUERY)
        return rows
    options = {"stream_results": True, "yield_per": _BATCH}
    return connection.execute(sa.text(_QUERY), execution_options=options)


class _Chain:
    """Where a chain stands while its records are read."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.sequence = 0
        self.hash = GENESIS
        self._end = f',"subject":{encode_basestring(str(subject))}}}'
        self._starts: dict[str, str] = {}

    def continues(self, row: Any) -> bool:
        """Tell whether a row is the chain's next record beyond doubt, without parsing its text.

        The text is canonical: the first two members are the action and the actor, whose own members are two
        strings; the last four are the ones compared. No JSON string contains a quote that is not escaped, so the first
        ``},"at":"`` ends the actor, and the ending found is that of the record itself.
        """
        _, sequence, action, at, linked, digest, text = row
        if sequence != self.sequence + 1 or linked != self.hash or not isinstance(text, str):
            return False
        start = self._starts.get(action) or self._starts.setdefault(action, _start_of(action))
        end = f',"previous_hash":"{linked}","schema_version":"1.0.0","sequence":{sequence}{self._end}'
        return (
            sha256(_DOMAIN + text.encode()).hexdigest() == digest
            and text.endswith(end)
            and text.startswith(start)
            and text.startswith(_moment_member(at), text.find('},"at":"', len(start)))
        )

    def advance(self, row: _Row) -> None:
        """Go on after a row that was at fault."""
        self.sequence = row.sequence if isinstance(row.sequence, int) else self.sequence + 1
        self.hash = row.hash


def _start_of(action: Any) -> str:
    return f'{{"action":{encode_basestring(str(action))},"actor":{{'


def _moment_member(at: Any) -> str:
    """Return a stored moment as a record's text has it; SQLite hands over a text, PostgreSQL a moment."""
    if isinstance(at, str):
        fraction = "" if at.endswith(".000000") else at[19:]
        return f'}},"at":"{at[:10]}T{at[11:19]}{fraction}Z","body":'
    if not isinstance(at, datetime):
        return "\x00"  # which no text contains
    return f'}},"at":"{at.astimezone(UTC).isoformat().replace("+00:00", "Z")}","body":'


def _verify_row(row: _Row, chain: _Chain) -> Iterator[Fault]:
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
    except (ValueError, TypeError):
        return {}
    return value if isinstance(value, dict) else {}


def _moment(value: Any) -> datetime | None:
    """Return a moment from a text or a column; one without an offset is SQLite's, in UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
