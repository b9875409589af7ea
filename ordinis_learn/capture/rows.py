"""A validated event as the columns in which it is stored."""

from __future__ import annotations

from typing import Final

from ordinis_learn.capture.columns import to_microseconds
from ordinis_learn.ports import EventRow
from ordinis_learn.records import Envelope

__all__ = ["row_of"]

_IN_COLUMNS: Final = {
    "event_id",
    "event_type",
    "ts_event",
    "ts_ingest",
    "partition_key",
    "correlation_id",
    "payload",
}


def row_of(event: Envelope) -> EventRow:
    """Return the row of an event."""
    return EventRow(
        event_id=event.event_id,
        event_type=event.event_type,
        ts_event=to_microseconds(event.ts_event),
        ts_ingest=to_microseconds(event.ts_ingest),
        partition_key=event.partition_key,
        correlation_id=event.correlation_id,
        envelope=event.model_dump_json(exclude=_IN_COLUMNS),
        payload=event.payload_json,
    )
