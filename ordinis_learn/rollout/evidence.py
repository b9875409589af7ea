"""What the gate looks at: the signed statements of a version, and the facts the registry adds.

Nothing here decides. A statement that does not verify is not used and is not forgotten: it becomes a
fault, and one fault closes the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypeVar

from ordinis_learn.records import (
    Approval,
    DatasetManifest,
    Identity,
    ModelArtifact,
    ModelRef,
    PreflightAnswer,
    Record,
    Scorecard,
    ShadowReport,
    State,
    WaiverGrant,
    hash_of,
)
from ordinis_learn.rollout.statements import VerifiedStatement
from ordinis_learn.rollout.submitted import check_statement, read_statements, text_sha256

__all__ = ["Evidence", "check_statement", "evidence_hash", "read_evidence", "text_sha256"]

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
    approver_groups : Mapping
        The groups of whoever answered, by name.
    grants : tuple of WaiverGrant
        From verified statements: rules that somebody would set aside.
    preflight : PreflightAnswer, optional
        What a governance service outside said; None where none is asked.
    run_metrics, incumbent_run_metrics : Mapping
        The newest metrics of the MLflow runs behind the version and the incumbent, those that the policy's rules
        name. Nobody signs them: they are what the tracking server says at the moment of the request.
    run_by : str
        The user of that run; empty where it was not looked up.
    voided : tuple of str
        One sentence per approval whose key has been revoked: it does not count, and is no fault.
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
    approver_groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    voided: tuple[str, ...] = ()
    grants: tuple[WaiverGrant, ...] = ()
    preflight: PreflightAnswer | None = None
    run_metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    incumbent_run_metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    run_by: str = ""


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
    accepted: Mapping[str, datetime] | None = None,
) -> Evidence:
    """Verify every statement among a version's tags.

    The answers of a revoked key are no fault: it may have been revoked because its owner left. A yes is void; a
    refusal goes on standing, so that nobody lifts one by revoking a key, until the same name answers
    again with a new key.

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
    accepted : Mapping, optional
        When the registry recorded each envelope, by the SHA-256 of its text; what retired keys signed is
        good only if it is here.
    """
    found = read_statements(tags, subject=subject, identities=identities, now=now, accepted=accepted or {})
    statements = found.statements
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
        faults=found.faults,
        trained_by=next((each.signer.name for each in statements if each.kind == "training"), ""),
        approver_groups=MappingProxyType(
            {each.signer.name: each.signer.groups for each in statements if each.kind == "approval"}
        ),
        voided=found.voided,
        grants=_records(statements, WaiverGrant),
    )


def evidence_hash(evidence: Evidence) -> str:
    """Return the hash that approvals are bound to.

    It covers the subject, the stored digest, who trained and what, the scorecards, the shadow report, the dataset
    manifest and the incumbent. Approvals, waivers, the state, faults and drift are left out: an approval must
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
    if evidence.run_metrics or evidence.incumbent_run_metrics or evidence.run_by:
        parts["runs"] = {
            "metrics": dict(evidence.run_metrics),
            "incumbent": dict(evidence.incumbent_run_metrics),
            "user": evidence.run_by,
        }
    return hash_of(parts, domain="ordinis.evidence.v1")


def _records(statements: Sequence[VerifiedStatement], record_type: type[_R]) -> tuple[_R, ...]:
    return tuple(each.record for each in statements if isinstance(each.record, record_type))


def _json(record: Record | None) -> dict[str, object] | None:
    return None if record is None else record.to_json()
