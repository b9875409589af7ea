"""The signed statements that hang on a version: does each verify, and does it belong where it hangs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from ordinis_learn.errors import EvidenceInvalid
from ordinis_learn.records import Approval, Identity, ModelRef, Record, Scorecard, ShadowReport, WaiverGrant
from ordinis_learn.rollout.statements import VerifiedStatement, verify
from ordinis_learn.rollout.tags import is_statement_tag, kind_of, named_in, waiver_tag

__all__ = ["Submitted", "check_statement", "read_statements", "text_sha256"]

_PERSONAL: Final = frozenset({"approval", "waiver"})
"""What a person says about a version, and what leaves with their key."""


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """What hangs on a version: what holds, what does not verify, and what a revoked key left behind."""

    statements: tuple[VerifiedStatement, ...]
    faults: tuple[str, ...]
    voided: tuple[str, ...]


def read_statements(
    tags: Mapping[str, str],
    *,
    subject: ModelRef,
    identities: Sequence[Identity],
    now: datetime,
    accepted: Mapping[str, datetime],
) -> Submitted:
    """Check every statement among a version's tags; see :func:`ordinis_learn.rollout.read_evidence`."""
    statements: list[VerifiedStatement] = []
    faults: list[str] = []
    voided: list[str] = []
    for key in sorted(key for key in tags if is_statement_tag(key)):
        seen = accepted.get(text_sha256(tags[key]))
        check = partial(check_statement, key, tags[key], subject=subject, now=now, accepted_at=seen)
        try:
            statements.append(check(identities=identities))
        except EvidenceInvalid as error:
            left = _left_behind(error, key, identities=identities, check=check)
            if left is None:
                faults.append(f"{key}: {error.found}")
            elif isinstance(left.record, Approval) and left.record.answer == "refuse":
                statements.append(left)
            else:
                voided.append(f"the {left.kind} of {left.signer.name} is void: its key was revoked")
    return Submitted(statements=tuple(statements), faults=tuple(faults), voided=tuple(voided))


def check_statement(
    key: str,
    text: str,
    *,
    subject: ModelRef,
    identities: Sequence[Identity],
    now: datetime,
    current: str | None = None,
    accepted_at: datetime | None = None,
) -> VerifiedStatement:
    """Check that a tag's value is a valid statement about ``subject`` and belongs under ``key``.

    The key of a scorecard names its pack, the key of an approval its signer: otherwise one valid
    statement could be hung over another, and a refusal would be covered by somebody else's approval.

    Parameters
    ----------
    key, text : str
        The tag.
    subject : ModelRef
        The version the tag hangs on.
    identities : Sequence[Identity]
        Every identity, revoked ones too.
    now : datetime
        The moment at which keys must be trusted.
    current : str, optional
        What hangs there already; an older statement cannot replace it. Without this an old approval,
        still validly signed, would cover its author's later refusal.
    accepted_at : datetime, optional
        When the registry recorded exactly this text; None for one that arrives now.

    Raises
    ------
    EvidenceInvalid
        The key carries no statement, or this one does not belong there.
    """
    statement = _check_place(
        key, text, subject=subject, identities=identities, now=now, accepted_at=accepted_at
    )
    if current is None or current == text:
        return statement
    try:
        standing = _check_place(key, current, subject=subject, identities=identities, now=now)
    except EvidenceInvalid:
        return statement
    if _made_at(statement.record) <= _made_at(standing.record):
        raise _misplaced(key, "it is not newer than the statement that hangs there")
    return statement


def _check_place(
    key: str,
    text: str,
    *,
    subject: ModelRef,
    identities: Sequence[Identity],
    now: datetime,
    accepted_at: datetime | None = None,
) -> VerifiedStatement:
    kind = kind_of(key)
    if kind is None:
        raise _misplaced(key, "no statement has this key")
    statement = verify(text, identities=identities, now=now, accepted_at=accepted_at)
    if statement.kind != kind:
        raise _misplaced(key, f"it is a {statement.kind} statement")
    if statement.subject != subject:
        raise _misplaced(key, f"it is about {_show(statement.subject)}, this version is {_show(subject)}")
    if isinstance(statement.record, Scorecard) and named_in(key) != statement.record.pack_id:
        raise _misplaced(key, f"it is about the pack {statement.record.pack_id!r}")
    if isinstance(statement.record, Approval) and named_in(key) != statement.signer.name:
        raise _misplaced(key, f"it is the answer of {statement.signer.name!r}")
    if isinstance(statement.record, WaiverGrant) and key != waiver_tag(
        statement.record.rule, statement.signer.name
    ):
        raise _misplaced(key, f"{statement.signer.name!r} waives {statement.record.rule!r}")
    return statement


def text_sha256(text: str) -> str:
    """Return the hash by which the ledger names an envelope."""
    return hashlib.sha256(text.encode()).hexdigest()


def _left_behind(
    error: EvidenceInvalid,
    key: str,
    *,
    identities: Sequence[Identity],
    check: partial[VerifiedStatement],
) -> VerifiedStatement | None:
    """Return a person's word that would verify but for the revocation of its key, else None."""
    if "revoked" not in error.data or kind_of(key) not in _PERSONAL:
        return None
    try:
        return check(identities=[one.model_copy(update={"revoked_at": None}) for one in identities])
    except EvidenceInvalid:
        return None


def _made_at(record: Record) -> datetime:
    if isinstance(record, Approval):
        return record.given_at
    if isinstance(record, WaiverGrant):
        return record.granted_at
    if isinstance(record, Scorecard | ShadowReport):
        return record.created_at
    return datetime.max.replace(tzinfo=UTC)


def _show(subject: ModelRef) -> str:
    return f"{subject.name} {subject.version} ({subject.artifact_sha256[:12]}…)"


def _misplaced(key: str, found: str) -> EvidenceInvalid:
    return EvidenceInvalid(
        f"attach a statement under {key!r}",
        found=found,
        next_step="submit it to the version it is about, under the key of its kind",
    )
