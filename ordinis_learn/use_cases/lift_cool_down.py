"""Sign one half of the lifting of a cool-down as a named identity."""

from __future__ import annotations

from dataclasses import dataclass

from ordinis_learn.errors import ArtifactMissing, ConfigInvalid
from ordinis_learn.records import AuditRecord, CoolDownLift, ModelRef
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
        The ledger does not say with which bytes the version that was rolled back was registered.
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
    version = str(rollback.body["version"])
    subject = ModelRef(name=name, version=version, artifact_sha256=_registered_digest(bench, name, version))
    lift = CoolDownLift(
        subject=subject,
        rollback=rollback.hash,
        reason=reason,
        lifted_by=identity,
        lifted_at=bench.clock(),
    )
    envelope = sign("lift", subject=subject, predicate=lift, signer=bench.keys.signer(identity))
    bench.registry.submit_evidence(name, subject.version, key=LIFT_TAG, envelope=envelope)


def _registered_digest(bench: Workbench, name: str, version: str) -> str:
    """Return the digest that the ledger has of a version: the catalogue need not know what another door registered."""
    for record in reversed(bench.ledger.history(name)):
        if record.action == "version.registered" and str(record.body.get("version")) == version:
            digest = record.body.get("artifact_sha256")
            if digest:
                return str(digest)
    raise ArtifactMissing(
        f"sign for lifting the cool-down of {name}",
        found=f"its ledger does not say with which bytes v{version} was registered",
        next_step="wait for its end; ordinis-learn ledger history shows it",
    )
