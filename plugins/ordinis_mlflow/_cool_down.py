"""After a rollback that was ordered: for how long nothing is promoted, and who lifts that early. Read from the model's chain."""

from __future__ import annotations

from typing import NoReturn

from ordinis_learn.errors import CoolingDown, EvidenceInvalid
from ordinis_learn.records import AuditRecord, CoolDownLift
from ordinis_learn.rollout.cool_down import LIFT_SIGNED, ROLLED_BACK, SIGNERS, UNTIL, lifted_by, running
from ordinis_learn.rollout.names import fold_name
from ordinis_learn.rollout.statements import verify
from ordinis_mlflow._change import Change
from ordinis_registry import ledger
from ordinis_registry.identities import known_identities

__all__ = ["refuse", "sign_lift"]


def refuse(change: Change, *, asked: str) -> None:
    """See that the model is not cooling down.

    Raises
    ------
    CoolingDown
        It was rolled back a short while ago; ``data["until"]`` says how long it waits.
    """
    for rollback in _running(change):
        signers = _signers(change, rollback, requester=change.actor.name)
        if len(signers) < SIGNERS:
            until = rollback.body[UNTIL]
            signed = f", {len(signers)} of {SIGNERS} signed for lifting that" if signers else ""
            raise CoolingDown(
                asked,
                found=f"it was rolled back and is cooling down until {until[:19].replace('T', ' ')}Z{signed}",
                next_step=f"ordinis-learn ledger history {change.name} says why; ask again after that, or let two approvers: "
                f"ordinis-learn alerts lift-cool-down {change.name} --as NAME --reason …",
                until=until,
            )


def sign_lift(change: Change, version: str, *, text: str) -> None:
    """Record one person's signature under the lifting of a cool-down; the same person's again changes nothing.

    Raises
    ------
    EvidenceInvalid
        It does not verify, is about another version or rollback, or nothing is cooling down from that one.
    """
    statement = verify(text, identities=known_identities(change.session), now=change.at)
    lift = statement.record
    if not isinstance(lift, CoolDownLift):
        _refuse(change, f"the statement is a {statement.kind}, not a lift")
    if lift.subject != change.reference(version):
        _refuse(
            change,
            f"it is about {lift.subject.name} {lift.subject.version}, not about {version} as registered",
        )
    rollback = next((one for one in _running(change) if one.hash == lift.rollback), None)
    if rollback is None or rollback.body["version"] != version:
        _refuse(change, "the model is not cooling down from that rollback")
    if fold_name(lift.lifted_by) in _signers(change, rollback):
        return
    change.record(
        LIFT_SIGNED,
        {
            "version": version,
            "rollback": rollback.hash,
            "until": rollback.body[UNTIL],
            "reason": lift.reason,
            "signer": statement.signer.name,
            "key_id": statement.signer.key_id,
            "statement": text,
        },
    )


def _running(change: Change) -> list[AuditRecord]:
    """Return the cool-downs that run, the one that runs longest first."""
    records = ledger.newest(change.session, change.name, action=ROLLED_BACK, holding=f'"{UNTIL}"')
    return sorted(running(records, now=change.at), key=lambda one: str(one.body[UNTIL]), reverse=True)


def _signers(change: Change, rollback: AuditRecord, *, requester: str = "") -> frozenset[str]:
    records = ledger.newest(change.session, change.name, action=LIFT_SIGNED, holding=f'"{rollback.hash}"')
    identities = known_identities(change.session)
    return lifted_by(records, rollback, identities=identities, now=change.at, requester=requester)


def _refuse(change: Change, found: str) -> NoReturn:
    raise EvidenceInvalid(
        f"lift the cool-down of {change.name}",
        found=found,
        next_step=f"ordinis-learn alerts lift-cool-down {change.name} --as NAME --reason …",
    )
