"""What was done to the rows of datasets, as records on the ledger's chain ``*``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.records import Actor, AuditRecord
from ordinis_registry import ledger
from ordinis_registry.models import LedgerRow

__all__ = ["append_record", "records"]

_PREFIX = "dataset."


def append_record(
    session: Session,
    action: str,
    *,
    actor: Actor,
    at: datetime,
    body: Mapping[str, Any],
    since: datetime | None = None,
) -> AuditRecord:
    """Append a record; ``body["ref"]`` names the dataset.

    With ``since``, one of the same action and dataset that is not older stands, and is returned: the chain is locked before it is
    looked for, so of two that come at once the second finds the first's.
    """
    head = ledger.lock(session, ledger.EVERYTHING)
    standing = None if since is None else _newest(session, action, ref=body["ref"])
    if standing is not None and since is not None and standing.at >= since:
        return standing
    return ledger.append(
        session, subject=ledger.EVERYTHING, action=action, actor=actor, at=at, body=dict(body), head=head
    )


def records(session: Session) -> list[AuditRecord]:
    """Return every record about datasets, oldest first."""
    query = sa.select(LedgerRow).where(
        LedgerRow.subject == ledger.EVERYTHING, LedgerRow.action.startswith(_PREFIX, autoescape=True)
    )
    return [ledger.to_record(row) for row in session.scalars(query.order_by(LedgerRow.sequence))]


def _newest(session: Session, action: str, *, ref: str) -> AuditRecord | None:
    of_ref = (one for one in reversed(records(session)) if one.action == action and one.body["ref"] == ref)
    return next(of_ref, None)
