"""From what the engines report to the log: good events are stored, bad ones kept with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field, NonNegativeInt
from pydantic_core import to_json

from ordinis_learn.capture.validation import Event, validate_row
from ordinis_learn.errors import ConfigInvalid, EventInvalid
from ordinis_learn.observability import tracing
from ordinis_learn.observability.origins import origins_of
from ordinis_learn.ports import EventLog, EventRow
from ordinis_learn.records import Record

__all__ = ["CaptureReceipt", "EventRecorder"]


class CaptureReceipt(Record):
    """What became of a batch. Every event is counted once.

    ``duplicates`` were in the log before (or twice in the batch) and changed nothing; ``quarantined``
    ones are kept whole under the error codes of ``reasons``; ``ignored`` ones were not even read,
    because learning is switched off.
    """

    accepted: NonNegativeInt = 0
    duplicates: NonNegativeInt = 0
    quarantined: NonNegativeInt = 0
    ignored: NonNegativeInt = 0
    reasons: dict[str, int] = Field(default_factory=dict)


class EventRecorder:
    """Validates events and appends them to a log.

    Delivery may be at least once: sending an event again stores nothing twice. Threads may share a
    recorder, as they may share its log.

    Parameters
    ----------
    log : EventLog
        Where events and quarantined bytes go.
    enabled : bool
        ``LEARN_ENABLE``. When False nothing is read, stored or quarantined.
    """

    def __init__(self, log: EventLog, *, enabled: bool = True) -> None:
        self._log = log
        self._enabled = enabled

    def record_event(self, event: Event) -> None:
        """Store one event durably; it is on disk when this returns.

        Raises
        ------
        EventInvalid
            The event is bad; it was quarantined whole before this was raised.
        StoreUnavailable
            Nothing was stored; send the event again later.
        """
        if not self._enabled:
            return
        try:
            row = validate_row(event)
        except EventInvalid as error:
            self._quarantine(event, error)
            raise
        self._append([row])

    def record_events(self, events: Iterable[Event], *, batch_size: int = 1000) -> CaptureReceipt:
        """Store many events, one durable write per batch; bad ones are quarantined and counted.

        When the log becomes unavailable midway the batches before that are stored, and the whole
        iterable may be sent again.

        Parameters
        ----------
        events : iterable of events
            Read once, in order; may be a generator.
        batch_size : int
            Events per durable write.
        """
        _check_batch(events, batch_size)
        if not self._enabled:
            return CaptureReceipt(ignored=sum(1 for _ in events))
        accepted = valid = 0
        reasons: Counter[str] = Counter()
        batch: list[EventRow] = []
        for event in events:
            try:
                batch.append(validate_row(event))
            except EventInvalid as error:
                self._quarantine(event, error)
                reasons[error.code] += 1
                continue
            valid += 1
            if len(batch) >= batch_size:
                accepted += self._append(batch)
                batch = []
        accepted += self._append(batch)
        return CaptureReceipt(
            accepted=accepted,
            duplicates=valid - accepted,
            quarantined=reasons.total(),
            reasons=dict(reasons),
        )

    def _append(self, rows: Sequence[EventRow]) -> int:
        """Store rows, in a span of the trace they came in where anybody traces."""
        if not tracing.is_on():
            return self._log.append_rows(rows)
        came = origins_of(row.envelope for row in rows)
        with tracing.span("learn.capture", parent=came.parent, links=came.links) as span:
            accepted = self._log.append_rows(rows)
            span.set_attributes({"ordinis.events": len(rows), "ordinis.events.new": accepted})
        return accepted

    def _quarantine(self, event: Event, error: EventInvalid) -> None:
        self._log.quarantine(_whole(event), code=error.code, reason=str(error))


def _whole(event: Any) -> bytes:
    """Return the bytes by which a bad event is remembered: itself, its JSON, or else what it looks like."""
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode("utf-8", "surrogatepass")
    try:
        return to_json(dict(event) if isinstance(event, Mapping) else event, inf_nan_mode="constants")
    except ValueError:
        return repr(event).encode("utf-8", "backslashreplace")


def _check_batch(events: Any, batch_size: int) -> None:
    if isinstance(events, Mapping | bytes | str):
        raise ConfigInvalid(
            "record a batch of events",
            found=f"one event ({type(events).__name__}) instead of many",
            next_step="call record_event(event), or put the event into a list",
        )
    if batch_size < 1:
        raise ConfigInvalid(
            "record a batch of events",
            found=f"batch_size={batch_size}",
            next_step="use a batch_size of 1 or more",
        )
