"""Find what was edited, dropped, reordered, forged or cut off in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_registry.ledger import GENESIS, hash_text
from ordinis_registry.models import HeadRow, LedgerRow

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
]

_BATCH: Final = 1000


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
    subjects = set(session.scalars(sa.select(LedgerRow.subject).distinct())) | set(heads)
    return [fault for subject in sorted(subjects) for fault in _verify_chain(session, subject, heads)]


def _verify_chain(session: Session, subject: str, heads: dict[str, HeadRow]) -> Iterator[Fault]:
    query = sa.select(LedgerRow).where(LedgerRow.subject == subject).order_by(LedgerRow.sequence)
    sequence, previous = 0, GENESIS
    for row in session.scalars(query.execution_options(yield_per=_BATCH)):
        if row.sequence != sequence + 1:
            yield Fault(
                subject=subject,
                sequence=sequence + 1,
                kind="missing",
                detail=f"the record after {sequence} is {row.sequence}",
            )
        yield from _verify_row(row, previous=previous)
        sequence, previous = row.sequence, row.hash
    yield from _verify_head(subject, heads.get(subject), sequence=sequence, newest_hash=previous)


def _verify_row(row: LedgerRow, *, previous: str) -> Iterator[Fault]:
    def fault(kind: FaultKind, detail: str) -> Fault:
        return Fault(subject=row.subject, sequence=row.sequence, kind=kind, detail=detail)

    if hash_text(row.hashed_text) != row.hash:
        yield fault("edited", "the text does not have the recorded hash")
    said = _read(row.hashed_text)
    if (said.get("subject"), said.get("sequence")) != (row.subject, row.sequence):
        yield fault("moved", f"the text is record {said.get('sequence')} of {said.get('subject')!r}")
    columns = {"action": row.action, "at": row.at, "previous_hash": row.previous_hash}
    said_at = _moment(said.get("at"))
    wrong = [name for name, value in columns.items() if {**said, "at": said_at}.get(name) != value]
    if wrong:
        yield fault("edited", f"the text says otherwise than the column {', '.join(wrong)}")
    if said.get("previous_hash") != previous:
        yield fault("unlinked", "it does not continue the record before it")


def _verify_head(subject: str, head: HeadRow | None, *, sequence: int, newest_hash: str) -> Iterator[Fault]:
    def fault(kind: FaultKind, detail: str, at: int = sequence) -> Fault:
        return Fault(subject=subject, sequence=at, kind=kind, detail=detail)

    if head is None:
        yield fault("head_missing", "the chain has no head row")
    elif head.sequence > sequence:
        yield fault("truncated", f"records {sequence + 1}..{head.sequence} are gone", sequence + 1)
    elif head.sequence < sequence:
        yield fault("beyond_head", f"the head ends at {head.sequence}", head.sequence + 1)
    elif head.hash != newest_hash:
        yield fault("head_differs", "the newest record is not the one its head names")


def _read(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
