"""Checkpoints: what every chain ended with, kept outside the database.

A chain whose tail was cut off together with its head row verifies by itself. A line written earlier, to
a file elsewhere, still knows the record that is gone. Each line is canonical JSON and names the hash of
the line before it. The lines are not signed yet, so keep the file where the database's owner cannot write.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Session

from ordinis_learn.errors import AuditChainBroken, StoreUnavailable
from ordinis_learn.records import Record, Sha256, UtcDatetime, canonical_json, hash_of
from ordinis_registry.ledger import EVERYTHING, GENESIS
from ordinis_registry.models import HeadRow, LedgerRow
from ordinis_registry.verification import Fault

__all__ = ["ChainHead", "Checkpoint", "verify_checkpoints", "write_checkpoint"]

_DOMAIN: Final = "ordinis.checkpoint.v1"


class ChainHead(Record):
    """Where a chain ended."""

    sequence: int
    hash: Sha256


class Checkpoint(Record):
    """All heads at one moment; ``size`` counts the records of all chains."""

    at: UtcDatetime
    size: int
    heads: dict[str, ChainHead]
    previous_hash: Sha256
    hash: Sha256

    def expected_hash(self) -> str:
        """Return the hash over all other fields."""
        content = {key: value for key, value in self.to_json().items() if key != "hash"}
        return hash_of(content, domain=_DOMAIN)


def write_checkpoint(session: Session, path: Path, *, at: datetime) -> Checkpoint:
    """Append one line with all heads as they are now; the folder is made.

    Raises
    ------
    StoreUnavailable
        The file cannot be read or written.
    AuditChainBroken
        The file's last line was damaged.
    """
    heads = {
        head.subject: ChainHead(sequence=head.sequence, hash=head.hash)
        for head in session.scalars(sa.select(HeadRow))
        if head.sequence > 0
    }
    lines = _lines(path)
    try:
        previous = _parse(lines[-1]).hash if lines else GENESIS
    except ValidationError as error:
        raise AuditChainBroken(
            f"continue the checkpoint file {path}",
            found=f"line {len(lines)} cannot be read",
            next_step="keep the file as it is for whoever looks into it, and begin another one",
        ) from error
    draft = Checkpoint(
        at=at,
        size=sum(head.sequence for head in heads.values()),
        heads=heads,
        previous_hash=previous,
        hash=GENESIS,
    )
    checkpoint = draft.model_copy(update={"hash": draft.expected_hash()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.write(canonical_json(checkpoint.to_json()) + b"\n")
    except OSError as error:
        raise _unusable(path, error) from error
    return checkpoint


def verify_checkpoints(session: Session, path: Path) -> list[Fault]:
    """Compare the ledger with every checkpoint ever written to a file.

    Returns
    -------
    list of Fault
        ``truncated`` where a record a checkpoint knew is gone, ``rewritten`` where it is another one,
        ``checkpoint_broken`` where a line of the file was itself edited or dropped. A file that is not
        there gives no faults: nothing was promised yet.
    """
    faults: list[Fault] = []
    previous = GENESIS
    for number, line in enumerate(_lines(path), start=1):
        try:
            checkpoint = _parse(line)
        except ValidationError:
            faults.append(_broken(number, "it cannot be read"))
            continue
        if checkpoint.hash != checkpoint.expected_hash() or checkpoint.previous_hash != previous:
            faults.append(_broken(number, "its hash does not hold"))
        previous = checkpoint.hash
        faults.extend(fault for fault in _compare(session, checkpoint) if fault not in faults)
    return faults


def _compare(session: Session, checkpoint: Checkpoint) -> Iterator[Fault]:
    for subject, head in checkpoint.heads.items():
        query = sa.select(LedgerRow.hash).where(
            LedgerRow.subject == subject, LedgerRow.sequence == head.sequence
        )
        found = session.scalar(query)
        if found is None:
            yield Fault(
                subject=subject,
                sequence=head.sequence,
                kind="truncated",
                detail="a checkpoint knew this record; it is gone",
            )
        elif found != head.hash:
            yield Fault(
                subject=subject,
                sequence=head.sequence,
                kind="rewritten",
                detail="a checkpoint knew another record in this place",
            )


def _broken(number: int, detail: str) -> Fault:
    return Fault(
        subject=EVERYTHING, sequence=number, kind="checkpoint_broken", detail=f"line {number}: {detail}"
    )


def _parse(line: bytes) -> Checkpoint:
    return Checkpoint.model_validate_json(line)


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"use the checkpoint file {path}",
        found=str(error),
        next_step="give a file in a folder that can be written",
    )
