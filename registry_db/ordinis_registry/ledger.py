"""The ledger: one hash chain per model, appended in the transaction of the change it records.

A record's hash is SHA-256, in the domain ``ordinis.ledger.v1``, over the RFC 8785 text of all its other
fields; one of them is the hash of the record before it. Writers of one chain queue on its head row, so
writers of different models do not wait for each other on PostgreSQL (SQLite has one writer anyway).

Nothing here updates or deletes a record. A chain alone cannot show that its tail was cut off together
with its head: :mod:`ordinis_registry.checkpoints` can.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ordinis_learn.errors import AuditWriteFailed
from ordinis_learn.records import Actor, AuditRecord, canonical_json
from ordinis_registry._reading import legible
from ordinis_registry._stretch import DOMAIN, GENESIS
from ordinis_registry.models import MOVED_POINTERS, Base, HeadRow, LedgerRow, UtcMoment
from ordinis_registry.once import insert_once
from ordinis_registry.pointers import Pointers

__all__ = [
    "DOMAIN",
    "EVERYTHING",
    "GENESIS",
    "Head",
    "active_at",
    "all_pointers",
    "append",
    "hash_text",
    "history",
    "lock",
    "pointers",
]

EVERYTHING: Final = "*"
"""The chain of what concerns no single model: identities and policies."""
_BATCH: Final = 2
_LARGEST_BATCH: Final = 256
_LARGEST_SEQUENCE: Final = 2**31 - 1
_LEDGER: Final = Base.metadata.tables[LedgerRow.__tablename__]
_HEADS: Final = Base.metadata.tables[HeadRow.__tablename__]
_INSERT: Final = sa.insert(_LEDGER)
_OF_SUBJECT: Final = _HEADS.c.subject == sa.bindparam("of_subject")
_LOCK: Final = sa.select(_HEADS.c.sequence, _HEADS.c.hash).where(_OF_SUBJECT).with_for_update()
_ADVANCE: Final = (
    sa.update(_HEADS)
    .where(_OF_SUBJECT)
    .values(sequence=sa.bindparam("new_sequence"), hash=sa.bindparam("new_hash"))
)
_RECORDS: Final = (
    sa.select(_LEDGER.c.subject, _LEDGER.c.sequence, _LEDGER.c.hash, _LEDGER.c.hashed_text)
    .where(_LEDGER.c.subject == sa.bindparam("of_subject"), _LEDGER.c.sequence < sa.bindparam("below"))
    .order_by(_LEDGER.c.sequence.desc())
    .limit(sa.bindparam("count", type_=sa.Integer()))
)
_NEWEST: Final = _RECORDS.where(_LEDGER.c.action == sa.bindparam("of_action"))
_NEWEST_HOLDING: Final = _NEWEST.where(_LEDGER.c.hashed_text.like(sa.bindparam("holding"), escape="/"))


def hash_text(text: str) -> str:
    """Return the hash of a record's text."""
    return hashlib.sha256(DOMAIN.encode("ascii") + b"\x00" + text.encode()).hexdigest()


@dataclass(kw_only=True)
class Head:
    """Where a chain ends, as the transaction that holds it sees it."""

    subject: str
    sequence: int
    hash: str


def lock(session: Session, subject: str) -> Head:
    """Take the chain's head row for this transaction, creating it for a new chain.

    Whoever decides from what a chain says must hold its head first, or two of them decide alike.

    Raises
    ------
    AuditWriteFailed
        The head cannot be written; then no record could be either.
    """
    try:
        found = session.connection().execute(_LOCK, {"of_subject": subject}).one_or_none()
        if found is None:
            insert_once(session, HeadRow, subject=subject, sequence=0, hash=GENESIS)
            found = session.execute(_LOCK, {"of_subject": subject}).one()
    except SQLAlchemyError as error:
        raise _write_failed(f"take the head of the chain {subject!r}", error) from error
    return Head(subject=subject, sequence=found.sequence, hash=found.hash)


def append(
    session: Session,
    *,
    subject: str,
    action: str,
    actor: Actor,
    at: datetime,
    body: Mapping[str, Any],
    head: Head | None = None,
) -> AuditRecord:
    """Add one record to a chain, within the caller's transaction.

    Parameters
    ----------
    session : Session
        An open, writing transaction; the record is written, the caller commits.
    subject : str
        The chain: a model's name, or ``*``.
    action : str
        What happened, in the past participle, e.g. ``rollout.allowed``.
    actor : Actor
        Who asked for it.
    at : datetime
        When, aware.
    body : Mapping
        JSON values; ``body["pointers"]`` where the action changed what is active.
    head : HeadRow, optional
        What :func:`lock` returned in this transaction; by default it is taken now.

    Raises
    ------
    AuditWriteFailed
        The record could not be written. The caller must let its transaction roll back.
    """
    try:
        head = lock(session, subject) if head is None else head
        record, text = _next_record(head, subject=subject, action=action, actor=actor, at=at, body=dict(body))
        values = {
            "subject": subject,
            "sequence": record.sequence,
            "action": action,
            "at": record.at,
            "previous_hash": record.previous_hash,
            "hash": record.hash,
            "hashed_text": text,
        }
        connection = session.connection()
        connection.execute(_INSERT, values)
        advanced = {"of_subject": subject, "new_sequence": record.sequence, "new_hash": record.hash}
        connection.execute(_ADVANCE, advanced)
        head.sequence, head.hash = record.sequence, record.hash
    except (SQLAlchemyError, ValueError) as error:  # ValueError: a body that is no canonical JSON
        raise _write_failed(f"record {action} of {subject!r}", error) from error
    return record


def history(session: Session, subject: str) -> list[AuditRecord]:
    """Return a chain's records, oldest first; an empty list for a chain nobody wrote to."""
    query = sa.select(LedgerRow).where(LedgerRow.subject == subject).order_by(LedgerRow.sequence)
    return [to_record(row) for row in session.scalars(query)]


def pointers(session: Session, name: str) -> Pointers | None:
    """Return what is active, in shadow and last known good now; None where the ledger never said."""
    for row in _moves(session, name):
        found = _pointers_of(row)
        if found is not None:
            return found
    return None


def all_pointers(session: Session) -> dict[str, Pointers]:
    """Return :func:`pointers` of every model of which the ledger says any, by subject."""
    subjects = session.scalars(sa.select(_HEADS.c.subject).order_by(_HEADS.c.subject)).all()
    found = {subject: pointers(session, subject) for subject in subjects if subject != EVERYTHING}
    return {subject: known for subject, known in found.items() if known is not None}


def active_at(session: Session, name: str, moment: datetime) -> str | None:
    """Return the version that was ACTIVE at a moment, None when nothing was.

    The newest record whose time is not after ``moment`` decides; a change counts from its own time on.
    Records are in the order of their numbers, not of their times: where a clock was set back, the later
    record counts from its own, earlier time on.
    """
    for row in _moves(session, name, until=moment):
        found = _pointers_of(row)
        if found is not None:
            return found.active
    return None


def newest(session: Session, subject: str, *, action: str, holding: str = "") -> Iterator[AuditRecord]:
    """Return a chain's records of one action, newest first; only those with ``holding`` in their text."""
    query = _NEWEST_HOLDING if holding else _NEWEST
    asked = {"of_subject": subject, "of_action": action, "holding": f"%{_escaped(holding)}%"}
    for row in _in_batches(session, query, asked):
        yield to_record(row)


def to_record(row: LedgerRow | sa.Row[Any]) -> AuditRecord:
    """Return a row as the record that was hashed.

    Raises
    ------
    AuditChainBroken
        The text is none.
    """
    with legible(*_place(row)):
        return AuditRecord.model_validate({**json.loads(row.hashed_text), "hash": row.hash})


def _write_failed(asked: str, error: Exception) -> AuditWriteFailed:
    return AuditWriteFailed(
        asked,
        found=f"{type(error).__name__}: {error}",
        next_step="nothing was changed; see that the database can be written, then try again",
    )


def _moves(session: Session, subject: str, *, until: datetime | None = None) -> Iterator[sa.Row[Any]]:
    """Read the records that may have moved the pointers, newest first, a few at a time."""
    query = _moved(session.get_bind().dialect.name, timed=until is not None)
    return _in_batches(session, query, {"of_subject": subject, "until": until})


def _in_batches(session: Session, query: sa.Select[Any], asked: Mapping[str, Any]) -> Iterator[sa.Row[Any]]:
    """Read newest first, a few rows at first and more each time: most readers stop at the first."""
    below, count = _LARGEST_SEQUENCE, _BATCH
    while True:
        rows = session.execute(query, {**asked, "below": below, "count": count}).all()
        yield from rows
        if len(rows) < count:
            return
        below, count = rows[-1].sequence, min(count * _BATCH, _LARGEST_BATCH)


@cache
def _moved(dialect: str, *, timed: bool) -> sa.Select[Any]:
    query = _RECORDS.where(sa.text(MOVED_POINTERS[dialect]))
    return query.where(_LEDGER.c.at <= sa.bindparam("until", type_=UtcMoment())) if timed else query


def _escaped(text: str) -> str:
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")


def _pointers_of(row: sa.Row[Any]) -> Pointers | None:
    with legible(*_place(row)):
        body = json.loads(row.hashed_text)["body"]
        return Pointers.model_validate(body["pointers"]) if "pointers" in body else None


def _place(row: LedgerRow | sa.Row[Any]) -> tuple[str, int]:
    return str(row.subject), row.sequence


def _next_record(
    head: Head, *, subject: str, action: str, actor: Actor, at: datetime, body: dict[str, Any]
) -> tuple[AuditRecord, str]:
    draft = AuditRecord(
        subject=subject,
        sequence=head.sequence + 1,
        action=action,
        actor=actor,
        at=at,
        body=body,
        previous_hash=head.hash,
        hash=GENESIS,
    )
    text = canonical_json(draft.model_dump(mode="json", exclude={"hash"})).decode()
    return draft.model_copy(update={"hash": hash_text(text)}), text
