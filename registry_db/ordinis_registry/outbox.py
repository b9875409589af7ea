"""The outbox: events written with the change they report, handed to a bus afterwards.

An event is there if and only if its change is: none is lost, none is sent for work that rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.observability.origins import in_current_trace
from ordinis_learn.records import Envelope
from ordinis_registry.models import OutboxRow
from ordinis_registry.once import insert_once

__all__ = ["enqueue", "forget", "pending"]


def enqueue(session: Session, event: Envelope, *, at: datetime) -> None:
    """Add an event within the caller's transaction; one that waits already is not added again."""
    text = in_current_trace(event).canonical().decode()
    insert_once(
        session, OutboxRow, topic=event.event_type, event_id=event.event_id, payload=text, created_at=at
    )


def pending(session: Session, *, limit: int | None = None) -> list[dict[str, Any]]:
    """Return what waits, oldest first, at most ``limit``; ``payload`` is the whole envelope as JSON values."""
    return [
        {"id": row.id, "topic": row.topic, "payload": json.loads(row.payload), "created_at": row.created_at}
        for row in session.scalars(sa.select(OutboxRow).order_by(OutboxRow.id).limit(limit))
    ]


def forget(session: Session, ids: Sequence[int]) -> None:
    """Delete what a bus has accepted; unknown ids are no error."""
    session.execute(sa.delete(OutboxRow).where(OutboxRow.id.in_(list(ids))))
