"""See that every move of the pointers in the ledger follows from the one before it.

A chain of hashes shows that nothing was changed afterwards. It does not show that a record was written by the
store: whoever may write SQL can compute a hash too. What such a record claims has to be a move that the store
could have made; a version that never was in SHADOW and is ACTIVE all the same gives itself away here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.errors import AuditChainBroken
from ordinis_learn.records import State
from ordinis_registry._reading import UNREADABLE
from ordinis_registry._texts import as_it_is
from ordinis_registry.ledger import to_record
from ordinis_registry.models import MOVED_POINTERS, LedgerRow
from ordinis_registry.pointers import Pointers
from ordinis_registry.verification import Fault

__all__ = ["successor", "unlawful_moves"]


def unlawful_moves(session: Session, subject: str) -> list[Fault]:
    """Return one fault ``unlawful`` per record that moved the pointers where its action does not lead.

    The next record is compared with what the unlawful one claims, so that one forgery is one fault.
    """
    moved = sa.text(MOVED_POINTERS[session.get_bind().dialect.name])
    query = sa.select(LedgerRow.subject, LedgerRow.sequence, LedgerRow.hash, LedgerRow.hashed_text).where(
        LedgerRow.subject == subject, moved
    )
    before: Pointers | None = None
    faults: list[Fault] = []
    with as_it_is(session):
        rows = session.execute(query.order_by(LedgerRow.sequence)).all()
    for row in rows:
        try:
            claimed, wrong = _judged(row, before)
        except (*UNREADABLE, AuditChainBroken) as error:
            claimed, wrong = None, f"what it says cannot be read ({type(error).__name__})"
        if wrong is not None:
            faults.append(Fault(subject=subject, sequence=row.sequence, kind="unlawful", detail=wrong))
        before = claimed or before
    return faults


def _judged(row: Any, before: Pointers | None) -> tuple[Pointers | None, str | None]:
    """Return the pointers that a record claims, None where it moves nothing, and what is wrong with the move."""
    record = to_record(row)
    if "pointers" not in record.body:
        return None, None
    claimed = Pointers.model_validate(record.body["pointers"])
    if claimed == successor(before, action=record.action, body=record.body):
        return claimed, None
    return (
        claimed,
        f"{record.action} does not lead to active {claimed.active} from {before and before.active}",
    )


def successor(before: Pointers | None, *, action: str, body: Mapping[str, Any]) -> Pointers | None:
    """Return the pointers after a record; None where its action cannot have been taken then.

    Parameters
    ----------
    before : Pointers or None
        None where the chain never said.
    action : str
        Of the record.
    body : Mapping
        Of the record; a model that was adopted is believed about its own beginning.

    Examples
    --------
    >>> shadow = Pointers().shadowed("1")
    >>> allowed = {"version": "1", "decision": {"allowed": True, "to_state": "ACTIVE"}}
    >>> successor(shadow, action="rollout.allowed", body=allowed).active
    '1'
    >>> successor(Pointers(), action="rollout.allowed", body=allowed) is None
    True
    """
    known, version = before or Pointers(), str(body.get("version"))
    match action:
        case "model.created" | "model.deleted":
            return Pointers()
        case "model.adopted":
            return Pointers.model_validate(body["pointers"]) if before is None else None
        case "version.deleted":
            return known.forgotten(version)
        case "rolled_back":
            return _rolled_back(known, version, to=body.get("to"))
        case "rollout.allowed":
            return _rolled_out(known, version, body)
        case _:
            return None


def _rolled_back(known: Pointers, version: str, *, to: str | None) -> Pointers | None:
    fits = known.active == version and (to is None or to in known.good)
    return known.rolled_back(to=to) if fits else None


def _rolled_out(known: Pointers, version: str, body: Mapping[str, Any]) -> Pointers | None:
    decision = body.get("decision") or {}
    if decision.get("allowed") is not True:
        return None
    target = decision.get("to_state")
    if target == State.ACTIVE:
        return known.promoted(version) if version in known.shadow else None
    if target == State.RETIRED:
        return known.retired(version)
    if target != State.SHADOW or version == known.active:
        return None
    after = known.shadowed(version)
    for other in body.get("retired", ()):
        after = after.retired(str(other))
    return after
