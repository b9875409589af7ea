"""After a rollback that was ordered nothing is promoted for a while, and two approvers may end that early.

Pure functions of the records of a model's chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from ordinis_learn.errors import EvidenceInvalid
from ordinis_learn.records import AuditRecord, CoolDownLift, Identity
from ordinis_learn.rollout.names import fold_name
from ordinis_learn.rollout.statements import verify

__all__ = ["LIFT_SIGNED", "ROLLED_BACK", "SIGNERS", "UNTIL", "lifted_by", "running"]

UNTIL: Final = "cool_down_until"
"""Where the record of a rollback says until when nothing is promoted."""

ROLLED_BACK: Final = "rolled_back"
LIFT_SIGNED: Final = "cool_down.lift_signed"
SIGNERS: Final = 2
"""As many as for a waiver: both set aside what was decided before anybody was in a hurry."""


def running(records: Iterable[AuditRecord], *, now: datetime) -> list[AuditRecord]:
    """Return the rollbacks whose time is not over, in the order given; lifted ones too."""
    return [
        record
        for record in records
        if record.action == ROLLED_BACK
        and UNTIL in record.body
        and datetime.fromisoformat(record.body[UNTIL]) > now
    ]


def lifted_by(
    records: Iterable[AuditRecord],
    rollback: AuditRecord,
    *,
    identities: Sequence[Identity],
    now: datetime,
    requester: str = "",
) -> frozenset[str]:
    """Return whose signatures under the lifting of a rollback's cool-down count now.

    Each is verified anew: one whose key was revoked since counts no more, nor does that of ``requester``, who asks for what the
    cool-down keeps from them.
    """
    found = set()
    for record in records:
        if record.action == LIFT_SIGNED and record.body.get("rollback") == rollback.hash:
            try:
                statement = verify(
                    record.body["statement"], identities=identities, now=now, accepted_at=record.at
                )
            except EvidenceInvalid:
                continue
            lift = statement.record
            if isinstance(lift, CoolDownLift) and lift.rollback == rollback.hash:
                found.add(fold_name(lift.lifted_by))
    return frozenset(found - {fold_name(requester)})
