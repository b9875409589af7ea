"""After a rollback: for how long nothing is promoted, and which order it carried out. Read from the model's chain."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ordinis_learn.errors import CoolingDown
from ordinis_learn.records import RollbackOrder
from ordinis_mlflow._change import Change
from ordinis_registry import ledger

__all__ = ["UNTIL", "is_carried_out", "refuse"]

UNTIL: Final = "cool_down_until"
_ROLLED_BACK: Final = "rolled_back"


def refuse(change: Change, *, asked: str) -> None:
    """See that the model is not cooling down.

    Raises
    ------
    CoolingDown
        It was rolled back a short while ago; ``data["until"]`` says how long it waits.
    """
    records = ledger.newest(change.session, change.name, action=_ROLLED_BACK, holding=f'"{UNTIL}"')
    until = max((datetime.fromisoformat(record.body[UNTIL]) for record in records), default=None)
    if until is not None and until > change.at:
        raise CoolingDown(
            asked,
            found=f"it was rolled back and is cooling down until {until:%Y-%m-%d %H:%M:%S}Z",
            next_step=f"ordinis-learn ledger history {change.name} says why; ask again after that",
            until=until.isoformat(),
        )


def is_carried_out(change: Change, order: RollbackOrder) -> bool:
    """Tell whether a rollback for this order is on the chain."""
    records = ledger.newest(
        change.session, change.name, action=_ROLLED_BACK, holding=f'"{order.response_id}"'
    )
    return any(record.body.get("order", {}).get("response_id") == order.response_id for record in records)
