"""Sign one half of the lifting of a cool-down as a named identity."""

from __future__ import annotations

from dataclasses import dataclass

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import AuditRecord, CoolDownLift
from ordinis_learn.rollout.cool_down import SIGNERS, UNTIL, lifted_by, running
from ordinis_learn.rollout.statements import sign
from ordinis_learn.rollout.tags import LIFT_TAG
from ordinis_learn.workbench import Workbench

__all__ = ["Lifting", "lift_cool_down"]


@dataclass(frozen=True, kw_only=True)
class Lifting:
    """Until when the model cools down, and who has signed for lifting all of that."""

    until: str
    signers: frozenset[str]

    @property
    def is_lifted(self) -> bool:
        """Whether enough have signed."""
        return len(self.signers) >= SIGNERS


def lift_cool_down(bench: Workbench, name: str, *, identity: str, reason: str) -> Lifting:
    """Sign for ending the cool-down of every rollback of a model that it still cools down from; a second approver's signature ends it.

    After a lifted one an order may roll back again: both run then, and who asks for a promotion must find two others under each.

    What was held up is free then: the gate is asked as ever, and an order that waits is carried out.

    Raises
    ------
    ConfigInvalid
        The model is not cooling down, the reason says nothing, or there is no such key here.
    EvidenceInvalid
        The registry does not trust the key, or not in the role of approver.
    ArtifactMissing
        The registry has no version that was rolled back.
    """
    asked = f"lift the cool-down of {name}"
    if not reason.strip():
        raise ConfigInvalid(asked, found="no reason", next_step="give --reason: the ledger keeps it")
    cooling = running(bench.ledger.history(name), now=bench.clock())
    if not cooling:
        raise ConfigInvalid(
            asked, found="it is not cooling down", next_step=f"ordinis-learn ledger history {name}"
        )
    for rollback in cooling:
        _sign(bench, name, rollback, identity=identity, reason=reason.strip())
    history, identities, now = bench.ledger.history(name), bench.identities.identities(), bench.clock()
    signed = [lifted_by(history, one, identities=identities, now=now) for one in cooling]
    return Lifting(
        until=max(str(one.body[UNTIL]) for one in cooling), signers=frozenset.intersection(*signed)
    )


def _sign(bench: Workbench, name: str, rollback: AuditRecord, *, identity: str, reason: str) -> None:
    subject = bench.registry.reference(name, str(rollback.body["version"]))
    lift = CoolDownLift(
        subject=subject,
        rollback=rollback.hash,
        reason=reason,
        lifted_by=identity,
        lifted_at=bench.clock(),
    )
    envelope = sign("lift", subject=subject, predicate=lift, signer=bench.keys.signer(identity))
    bench.registry.submit_evidence(name, subject.version, key=LIFT_TAG, envelope=envelope)
