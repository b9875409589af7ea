"""Orders to roll back: whether the response policy gave one, and whether it was carried out."""

from __future__ import annotations

from ordinis_learn.errors import RolloutDenied
from ordinis_learn.records import Response, RollbackOrder
from ordinis_mlflow._change import Change
from ordinis_registry import ledger
from ordinis_registry.alert_book import given_order

__all__ = ["given", "is_carried_out"]


def given(change: Change, order: RollbackOrder, *, reason: str) -> Response | RolloutDenied:
    """Return the pending order of this database that a request names, as it was given.

    The request is no proof: whoever may tag a model can write one. What it may say is only which order it is for. Where nobody
    gave that order, or it was about something else, or it is done, the refusal is recorded and returned, to be raised after its
    record is committed.
    """
    known = given_order(change.session, order.response_id)
    found = _why_not(change, order, known)
    if known is not None and not found:
        return known
    change.record("rollback.refused", {"order": order.to_json(), "reason": reason, "found": found})
    return RolloutDenied(
        f"carry out the order {order.response_id[:12]} to roll back {change.name}",
        found=found,
        next_step="ordinis-learn alerts show ALERT has what was ordered; in your own name: "
        f"ordinis-learn rollback {change.name} --reason …",
    )


def is_carried_out(change: Change, order: RollbackOrder) -> bool:
    """Tell whether a rollback for this order is on the chain."""
    records = ledger.newest(
        change.session, change.name, action="rolled_back", holding=f'"{order.response_id}"'
    )
    return any(record.body.get("order", {}).get("response_id") == order.response_id for record in records)


def _why_not(change: Change, order: RollbackOrder, known: Response | None) -> str:
    """Return why an order is not one to carry out; empty where it is."""
    if known is None:
        return "no response policy gave an order of this id here"
    checks = {
        f"it was given for {known.model}": known.model != change.name,
        f"it is an order to {known.action}": known.action != "roll_back",
        "it was given because of another alert": known.alert_id != order.alert_id,
        "it was given by another response policy": known.policy_hash != order.policy_hash,
        f"it is done: {known.outcome}": known.status != "pending",
    }
    return next((reason for reason, holds in checks.items() if holds), "")
