"""Checkpoints: what every chain ended with, signed, and kept outside the database.

A chain whose tail was cut off together with its head row verifies by itself. A line written earlier, to a
place elsewhere, still knows the record that is gone.

Each line is canonical JSON: all heads, their Merkle root, the hash of the line before, and an in-toto statement
over these in a DSSE envelope, signed by a key in the role ``witness``. A signed line vouches for all lines before
it: those of a key that was revoked since hold as long as a trusted one continued them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from pydantic import ValidationError
from securesystemslib.signer import CryptoSigner
from sqlalchemy.orm import Session

from ordinis_learn.errors import AuditChainBroken, ConfigInvalid, EvidenceInvalid
from ordinis_learn.records import Identity, Record, Role, Sha256, UtcDatetime, canonical_json, hash_of
from ordinis_learn.rollout.seals import seal, signers_of, unseal
from ordinis_registry.checkpoint_targets import CheckpointTarget
from ordinis_registry.identities import known_identities
from ordinis_registry.ledger import EVERYTHING, GENESIS
from ordinis_registry.merkle import merkle_root
from ordinis_registry.models import HeadRow, LedgerRow
from ordinis_registry.verification import Fault, FaultKind

__all__ = ["PREDICATE_TYPE", "ChainHead", "Checkpoint", "verify_checkpoints", "write_checkpoint"]

PREDICATE_TYPE: Final = "urn:ordinis:learn:predicate:checkpoint:v1"
_DOMAIN: Final = "ordinis.checkpoint.v1"


class ChainHead(Record):
    """Where a chain ended."""

    sequence: int
    hash: Sha256


class Checkpoint(Record):
    """All heads at one moment; ``size`` counts the records of all chains.

    ``root`` is the RFC 6962 Merkle root over the heads in order of name. Lines from before checkpoints were signed
    have neither root nor envelope.
    """

    at: UtcDatetime
    size: int
    heads: dict[str, ChainHead]
    previous_hash: Sha256
    hash: Sha256
    root: Sha256 | None = None
    envelope: dict[str, Any] | None = None

    def expected_hash(self) -> str:
        """Return the hash over all other fields but the signature."""
        without = {"hash", "envelope"} | ({"root"} if self.root is None else set())
        content = {key: value for key, value in self.to_json().items() if key not in without}
        return hash_of(content, domain=_DOMAIN)

    def expected_root(self) -> str:
        """Return the Merkle root over the heads."""
        return merkle_root(
            [canonical_json([name, head.sequence, head.hash]) for name, head in sorted(self.heads.items())]
        )

    def statement(self) -> bytes:
        """Return what is signed: the canonical bytes of an in-toto statement about the root."""
        values = self.to_json()
        return canonical_json(
            {
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [{"name": "ordinis:ledger", "digest": {"sha256": self.root}}],
                "predicateType": PREDICATE_TYPE,
                "predicate": {key: values[key] for key in ("at", "size", "root", "previous_hash", "hash")},
            }
        )

    def holds(self) -> bool:
        """Tell whether hash and root are those of the content."""
        return self.hash == self.expected_hash() and self.root in {None, self.expected_root()}


def write_checkpoint(
    session: Session, target: CheckpointTarget, *, at: datetime, signer: CryptoSigner
) -> Checkpoint:
    """Append one signed line with all heads as they are now.

    Parameters
    ----------
    session : Session
        A reading transaction in which nothing was read yet.
    target : CheckpointTarget
        Where the line goes.
    at : datetime
        When, aware.
    signer : CryptoSigner
        A key that the desk trusts as ``witness``.

    Raises
    ------
    StoreUnavailable
        The target cannot be read or written; with ``taken`` in its data another writer was first.
    ConfigInvalid
        The key is not trusted as a witness.
    AuditChainBroken
        The target's last line is damaged, or knows a record that the ledger has not.
    """
    with target.exclusive():
        # The target is read before the database: a line written in between may know more than an earlier snapshot.
        lines = list(_read(target))
        by = _trusted_witness(session, signer, at=at)
        previous = _last_hash(session, lines, address=target.address)
        heads = {
            head.subject: ChainHead(sequence=head.sequence, hash=head.hash)
            for head in session.scalars(sa.select(HeadRow))
            if head.sequence > 0
        }
        size = sum(head.sequence for head in heads.values())
        draft = Checkpoint(at=at, size=size, heads=heads, previous_hash=previous, hash=GENESIS)
        draft = draft.model_copy(update={"root": draft.expected_root()})
        draft = draft.model_copy(update={"hash": draft.expected_hash()})
        checkpoint = draft.model_copy(update={"envelope": seal(draft.statement(), signer=signer)})
        target.append(checkpoint.canonical(), by=by, after=len(lines))
    return checkpoint


def verify_checkpoints(session: Session, target: CheckpointTarget, *, now: datetime) -> list[Fault]:
    """Compare the ledger with every checkpoint ever written to a target.

    Returns
    -------
    list of Fault
        ``truncated`` where a record a checkpoint knew is gone, ``rewritten`` where it is another one,
        ``checkpoint_broken`` where a line was itself edited, dropped or forged, ``checkpoint_untrusted`` where its
        signer is unknown, revoked at ``now`` or no witness, and ``checkpoint_unsigned``; the last two unless a later
        line of a trusted witness continues it. A target that holds nothing gives no faults: nothing was promised.
    """
    identities = known_identities(session)
    faults: list[Fault] = []
    open_questions: list[Fault] = []
    for line in _read(target):
        problem = line.problem or _signature_problem(line, identities=identities, now=now)
        if problem is None:
            open_questions.clear()
        elif problem.kind == "checkpoint_broken":
            faults.extend([*open_questions, problem])
            open_questions.clear()
        else:
            open_questions.append(problem)
    known = {triple for line in _read(target) for triple in line.triples()}
    return [*faults, *open_questions, *_compare(session, sorted(known))]


@dataclass(frozen=True, kw_only=True)
class _Line:
    number: int
    checkpoint: Checkpoint | None
    problem: Fault | None

    def triples(self) -> list[tuple[str, int, str]]:
        heads = {} if self.checkpoint is None else self.checkpoint.heads
        return [(subject, head.sequence, head.hash) for subject, head in heads.items()]


def _read(target: CheckpointTarget) -> Iterator[_Line]:
    previous = GENESIS
    for number, text in enumerate(target.lines(), start=1):
        try:
            checkpoint = Checkpoint.model_validate_json(text)
        except ValidationError:
            why = "it cannot be read" if text else "it is gone"
            yield _Line(number=number, checkpoint=None, problem=_fault(number, why))
            continue
        sound = checkpoint.holds() and checkpoint.previous_hash == previous
        problem = None if sound else _fault(number, "its hash does not hold")
        previous = checkpoint.hash
        yield _Line(number=number, checkpoint=checkpoint, problem=problem)


def _signature_problem(line: _Line, *, identities: Sequence[Identity], now: datetime) -> Fault | None:
    checkpoint = line.checkpoint
    if checkpoint is None or checkpoint.envelope is None or checkpoint.root is None:
        return _fault(line.number, "nobody signed it", kind="checkpoint_unsigned")
    try:
        trusted = signers_of(checkpoint.envelope, identities=identities, now=now)
    except EvidenceInvalid as error:
        return _fault(line.number, error.found, kind="checkpoint_untrusted")
    if not any(Role.WITNESS in identity.roles for identity in trusted):
        return _fault(line.number, f"{trusted[0].name} is no witness", kind="checkpoint_untrusted")
    try:
        signed = unseal(checkpoint.envelope, signer=trusted[0])
    except EvidenceInvalid as error:
        return _fault(line.number, error.found)
    return None if signed == checkpoint.statement() else _fault(line.number, "something else was signed")


def _compare(session: Session, known: Sequence[tuple[str, int, str]]) -> Iterator[Fault]:
    for subject, sequence, expected in known:
        query = sa.select(LedgerRow.hash).where(LedgerRow.subject == subject, LedgerRow.sequence == sequence)
        found = session.scalar(query)
        if found is None:
            detail = "a checkpoint knew this record; it is gone"
            yield Fault(subject=subject, sequence=sequence, kind="truncated", detail=detail)
        elif found != expected:
            detail = "a checkpoint knew another record in this place"
            yield Fault(subject=subject, sequence=sequence, kind="rewritten", detail=detail)


def _last_hash(session: Session, lines: Sequence[_Line], *, address: str) -> str:
    """Return the hash to continue from, after seeing that the ledger still has what the last line knew."""
    if not lines:
        return GENESIS
    last = lines[-1]
    problems = [*([last.problem] if last.problem else []), *_compare(session, sorted(last.triples()))]
    if problems or last.checkpoint is None:
        raise AuditChainBroken(
            f"continue the checkpoints at {address}",
            found="; ".join(str(problem) for problem in problems),
            next_step="keep them as they are for whoever looks into it, and begin again at another target",
        )
    return last.checkpoint.hash


def _trusted_witness(session: Session, signer: CryptoSigner, *, at: datetime) -> str:
    for identity in known_identities(session):
        trusted = identity.revoked_at is None or identity.revoked_at > at
        if identity.key_id == signer.public_key.keyid and trusted and Role.WITNESS in identity.roles:
            return identity.name
    raise ConfigInvalid(
        "sign a checkpoint",
        found=f"the key {signer.public_key.keyid[:16]}… is not trusted as a witness",
        next_step="ordinis-learn keys create ledger-witness --role witness",
    )


def _fault(number: int, detail: str, *, kind: FaultKind = "checkpoint_broken") -> Fault:
    return Fault(subject=EVERYTHING, sequence=number, kind=kind, detail=f"checkpoint {number}: {detail}")
