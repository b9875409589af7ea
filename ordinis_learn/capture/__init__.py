"""Durable events: validation, the append-only log, quarantine, and prices read back from it."""

from ordinis_learn.capture._sqlite import SqliteEventLog
from ordinis_learn.capture.buckets import bucket_of
from ordinis_learn.capture.columns import PAYLOAD_COLUMNS, SCAN_SCHEMA
from ordinis_learn.capture.prices import price_history
from ordinis_learn.capture.recorder import CaptureReceipt, EventRecorder
from ordinis_learn.capture.validation import MAX_PAYLOAD_BYTES, Event, validate_event

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "PAYLOAD_COLUMNS",
    "SCAN_SCHEMA",
    "CaptureReceipt",
    "Event",
    "EventRecorder",
    "SqliteEventLog",
    "bucket_of",
    "price_history",
    "validate_event",
]
