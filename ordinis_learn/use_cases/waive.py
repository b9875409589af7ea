"""Sign one half of a waiver as a named identity."""

from __future__ import annotations

from datetime import timedelta

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import ModelRef, State, WaiverGrant
from ordinis_learn.rollout.statements import sign
from ordinis_learn.rollout.tags import waiver_tag
from ordinis_learn.rollout.waivers import NEVER_WAIVED
from ordinis_learn.workbench import Workbench

__all__ = ["grant_waiver"]


def grant_waiver(
    bench: Workbench,
    subject: ModelRef,
    *,
    rule: str,
    target: State,
    identity: str,
    reason: str,
    control: str,
    valid: timedelta,
) -> WaiverGrant:
    """Sign for setting a rule aside; the second signature of another approver makes it a waiver.

    The policy shortens ``valid`` to its own maximum when the gate reads it.

    Raises
    ------
    ConfigInvalid
        The rule can never be waived, reason or control is empty, or there is no such key here.
    EvidenceInvalid
        The registry does not trust the key, or not in the role of approver.
    """
    if rule in NEVER_WAIVED or not reason.strip() or not control.strip() or valid <= timedelta():
        raise ConfigInvalid(
            f"waive {rule} for {valid}",
            found="it can never be waived" if rule in NEVER_WAIVED else "no reason, no control or no time",
            next_step="name a rule of the refusal that is about numbers, why, and what is done instead",
        )
    now = bench.clock()
    grant = WaiverGrant(
        subject=subject,
        target=target,
        rule=rule,
        reason=reason,
        compensating_control=control,
        evidence_hash=bench.registry.evidence_hash(subject.name, subject.version),
        granted_by=identity,
        granted_at=now,
        expires_at=now + valid,
    )
    envelope = sign("waiver", subject=subject, predicate=grant, signer=bench.keys.signer(identity))
    bench.registry.submit_evidence(
        subject.name, subject.version, key=waiver_tag(rule, identity), envelope=envelope
    )
    return grant
