"""Answer a promotion request as a named identity."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from ordinis_learn.records import Approval, ModelRef, State
from ordinis_learn.rollout.statements import sign
from ordinis_learn.rollout.tags import approval_tag
from ordinis_learn.workbench import Workbench

__all__ = ["answer_request"]


def answer_request(
    bench: Workbench,
    subject: ModelRef,
    *,
    target: State,
    answer: Literal["approve", "refuse"],
    identity: str,
    comment: str,
    valid_days: int = 14,
) -> Approval:
    """Sign an approval or a refusal, bound to the evidence as it stands now.

    The version may have been registered by any MLflow client: ``bench.registry.reference`` knows it.

    Raises
    ------
    ConfigInvalid
        There is no private key for ``identity`` on this machine.
    EvidenceInvalid
        The registry does not trust the key, or not in the role of approver.
    """
    now = bench.clock()
    approval = Approval(
        subject=subject,
        target=target,
        answer=answer,
        evidence_hash=bench.registry.evidence_hash(subject.name, subject.version),
        approver=identity,
        comment=comment,
        given_at=now,
        expires_at=now + timedelta(days=valid_days),
    )
    envelope = sign("approval", subject=subject, predicate=approval, signer=bench.keys.signer(identity))
    bench.registry.submit_evidence(
        subject.name, subject.version, key=approval_tag(identity), envelope=envelope
    )
    return approval
