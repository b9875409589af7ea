"""Make past decisions again from what was recorded of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Session

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.records import AuditRecord, GateDecision
from ordinis_learn.rollout.bundle import EvidenceBundle, decide_again
from ordinis_learn.rollout.policy import Policy
from ordinis_registry._reading import legible
from ordinis_registry.evidence import evidence_bundle
from ordinis_registry.ledger import to_record
from ordinis_registry.models import LedgerRow
from ordinis_registry.policies import policy_document

__all__ = ["Replayed", "replay"]

_ACTIONS: Final = ("rollout.allowed", "rollout.denied")
_BATCH: Final = 100


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """One past decision, made again.

    ``outcome`` is ``identical``, ``differs`` (``detail`` names the fields, or under another policy the rules that
    do not pass), or ``not_recorded`` where the evidence or policy was not kept.
    """

    subject: str
    sequence: int
    version: str
    to_state: str
    allowed: bool
    would_be_allowed: bool | None
    outcome: Literal["identical", "differs", "not_recorded"]
    detail: str = ""

    def __str__(self) -> str:
        """Return the line an operator reads."""
        move = f"{self.subject} record {self.sequence}: {self.version} to {self.to_state}"
        detail = f": {self.detail}" if self.detail else ""
        return f"{move} ({'allowed' if self.allowed else 'denied'}): {self.outcome.replace('_', ' ')}{detail}"


def replay(session: Session, *, policy: Policy | None = None) -> list[Replayed]:
    """Make every recorded decision again, chain by chain, oldest first.

    Parameters
    ----------
    session : Session
        A reading transaction.
    policy : Policy, optional
        Judge by this one instead; a decision then differs when it would have been another answer.
    """
    return [_again(session, record, policy=policy) for record in _decisions(session)]


def _decisions(session: Session) -> Iterator[AuditRecord]:
    query = sa.select(LedgerRow).where(LedgerRow.action.in_(_ACTIONS))
    query = query.order_by(LedgerRow.subject, LedgerRow.sequence).execution_options(yield_per=_BATCH)
    for row in session.scalars(query):
        record = to_record(row)
        if record.body.get("decision") is not None:
            yield record


def _again(session: Session, record: AuditRecord, *, policy: Policy | None) -> Replayed:
    with legible(record.subject, record.sequence):
        decision = GateDecision.model_validate(record.body["decision"])
    try:
        bundle = evidence_bundle(session, str(record.body.get("bundle", "")))
        own = _policy(session, decision.policy_hash)
    except (DataCorrupt, ValidationError) as error:
        return _answer(record, decision, outcome="differs", detail=str(error))
    if bundle is None or own is None:
        missing = "policy" if bundle is not None else "evidence"
        return _answer(record, decision, outcome="not_recorded", detail=f"no {missing} was kept")
    if policy is not None:
        return _under(record, decision, bundle, policy)
    fields = decide_again(bundle, own, decision).differing
    return _answer(record, decision, outcome="differs" if fields else "identical", detail=", ".join(fields))


def _under(record: AuditRecord, decision: GateDecision, bundle: EvidenceBundle, policy: Policy) -> Replayed:
    again = decide_again(bundle, policy, decision).decision
    detail = ", ".join(verdict.rule for verdict in again.reasons) or "every rule passes"
    changed = again.allowed != decision.allowed
    return _answer(
        record,
        decision,
        outcome="differs" if changed else "identical",
        detail=detail if changed else "",
        would_be_allowed=again.allowed,
    )


def _policy(session: Session, policy_hash: str) -> Policy | None:
    text = policy_document(session, policy_hash)
    return None if text is None else Policy.model_validate_json(text)


def _answer(
    record: AuditRecord,
    decision: GateDecision,
    *,
    outcome: Literal["identical", "differs", "not_recorded"],
    detail: str,
    would_be_allowed: bool | None = None,
) -> Replayed:
    return Replayed(
        subject=record.subject,
        sequence=record.sequence,
        version=decision.subject.version,
        to_state=decision.to_state.value,
        allowed=decision.allowed,
        would_be_allowed=decision.allowed if outcome == "identical" else would_be_allowed,
        outcome=outcome,
        detail=detail,
    )
