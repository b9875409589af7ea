"""What the gate looks at: the signed statements of a version, and the facts the registry adds.

Nothing here decides. A statement that does not verify is not used and is not forgotten: it becomes a
fault, and one fault closes the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeVar

from ordinis_learn.errors import EvidenceInvalid
from ordinis_learn.records import (
    Approval,
    DatasetManifest,
    Identity,
    ModelArtifact,
    ModelRef,
    Record,
    Scorecard,
    ShadowReport,
    State,
    hash_of,
)
from ordinis_learn.rollout.statements import VerifiedStatement, verify
from ordinis_learn.rollout.tags import is_statement_tag, kind_of, named_in

__all__ = ["Evidence", "check_statement", "evidence_hash", "read_evidence"]

_R = TypeVar("_R", bound=Record)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything a decision may depend on, besides the policy, the requester and the time.

    Attributes
    ----------
    subject : ModelRef
        The version, with the digest in the registry's record.
    state : State
        Where it stands now.
    artifact, scorecards, shadow, approvals
        From verified statements; scorecards by pack.
    stored_sha256 : str, optional
        The digest of the bytes as they lie in the store now; None when they could not be read.
    dataset : DatasetManifest, optional
        The manifest that the artifact's training names.
    incumbent : ModelRef, optional
        The version that is ACTIVE now; None when flat.
    earlier_trials : int
        Models fitted for earlier versions of the same name: this one was picked after them.
    drift_breached : bool
        Whether an open drift breach stands against the model.
    faults : tuple of str
        One sentence per statement that was there and did not verify.
    trained_by : str
        Who signed the training statement; empty without one.
    """

    subject: ModelRef
    state: State
    artifact: ModelArtifact | None = None
    scorecards: Mapping[str, Scorecard] = field(default_factory=lambda: MappingProxyType({}))
    shadow: ShadowReport | None = None
    approvals: tuple[Approval, ...] = ()
    stored_sha256: str | None = None
    dataset: DatasetManifest | None = None
    incumbent: ModelRef | None = None
    drift_breached: bool = False
    earlier_trials: int = 0
    faults: tuple[str, ...] = ()
    trained_by: str = ""


def check_statement(
    key: str,
    text: str,
    *,
    subject: ModelRef,
    identities: Sequence[Identity],
    now: datetime,
    current: str | None = None,
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

    Raises
    ------
    EvidenceInvalid
        The key carries no statement, or this one does not belong there.
    """
    statement = _check_place(key, text, subject=subject, identities=identities, now=now)
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
    key: str, text: str, *, subject: ModelRef, identities: Sequence[Identity], now: datetime
) -> VerifiedStatement:
    kind = kind_of(key)
    if kind is None:
        raise _misplaced(key, "no statement has this key")
    statement = verify(text, identities=identities, now=now)
    if statement.kind != kind:
        raise _misplaced(key, f"it is a {statement.kind} statement")
    if statement.subject != subject:
        raise _misplaced(key, f"it is about {_show(statement.subject)}, this version is {_show(subject)}")
    if isinstance(statement.record, Scorecard) and named_in(key) != statement.record.pack_id:
        raise _misplaced(key, f"it is about the pack {statement.record.pack_id!r}")
    if isinstance(statement.record, Approval) and named_in(key) != statement.signer.name:
        raise _misplaced(key, f"it is the answer of {statement.signer.name!r}")
    return statement


def read_evidence(
    tags: Mapping[str, str],
    *,
    subject: ModelRef,
    state: State,
    identities: Sequence[Identity],
    stored_sha256: str | None,
    dataset: DatasetManifest | None,
    incumbent: ModelRef | None,
    drift_breached: bool,
    earlier_trials: int = 0,
    now: datetime,
) -> Evidence:
    """Verify every statement among a version's tags.

    Parameters
    ----------
    tags : Mapping[str, str]
        All tags of the version. Those outside ``ordinis.evidence`` and ``ordinis.approval`` are ignored;
        one inside that is not a well-formed key is a fault.
    subject, state, stored_sha256, dataset, incumbent, drift_breached
        What the registry knows by itself; see :class:`Evidence`.
    identities : Sequence[Identity]
        Every identity, revoked ones too.
    now : datetime
        The moment at which keys must be trusted.
    """
    statements: list[VerifiedStatement] = []
    faults: list[str] = []
    for key in sorted(key for key in tags if is_statement_tag(key)):
        try:
            statements.append(
                check_statement(key, tags[key], subject=subject, identities=identities, now=now)
            )
        except EvidenceInvalid as error:
            faults.append(f"{key}: {error.found}")
    artifacts, shadows = _records(statements, ModelArtifact), _records(statements, ShadowReport)
    return Evidence(
        subject=subject,
        state=state,
        artifact=artifacts[0] if artifacts else None,
        scorecards=MappingProxyType({card.pack_id: card for card in _records(statements, Scorecard)}),
        shadow=shadows[0] if shadows else None,
        approvals=_records(statements, Approval),
        stored_sha256=stored_sha256,
        dataset=dataset,
        incumbent=incumbent,
        drift_breached=drift_breached,
        earlier_trials=earlier_trials,
        faults=tuple(faults),
        trained_by=next((each.signer.name for each in statements if each.kind == "training"), ""),
    )


def evidence_hash(evidence: Evidence) -> str:
    """Return the hash that approvals are bound to.

    It covers the subject, the stored digest, who trained and what, the scorecards, the shadow report, the dataset
    manifest and the incumbent. Approvals, the state, faults and drift are left out: an approval must
    outlive other approvals, and the rules read the rest anew at every request.
    """
    parts = {
        "subject": evidence.subject.to_json(),
        "stored_sha256": evidence.stored_sha256,
        "training": _json(evidence.artifact),
        "trained_by": evidence.trained_by,
        "scorecards": {pack: card.to_json() for pack, card in evidence.scorecards.items()},
        "shadow": _json(evidence.shadow),
        "dataset": None if evidence.dataset is None else evidence.dataset.content_hash(),
        "incumbent": _json(evidence.incumbent),
    }
    return hash_of(parts, domain="ordinis.evidence.v1")


def _made_at(record: Record) -> datetime:
    if isinstance(record, Approval):
        return record.given_at
    if isinstance(record, Scorecard | ShadowReport):
        return record.created_at
    return datetime.max.replace(tzinfo=UTC)


def _records(statements: Sequence[VerifiedStatement], record_type: type[_R]) -> tuple[_R, ...]:
    return tuple(each.record for each in statements if isinstance(each.record, record_type))


def _json(record: Record | None) -> dict[str, object] | None:
    return None if record is None else record.to_json()


def _show(subject: ModelRef) -> str:
    return f"{subject.name} {subject.version} ({subject.artifact_sha256[:12]}…)"


def _misplaced(key: str, found: str) -> EvidenceInvalid:
    return EvidenceInvalid(
        f"attach a statement under {key!r}",
        found=found,
        next_step="submit it to the version it is about, under the key of its kind",
    )
