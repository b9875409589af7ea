"""The adapter ``ordinis-legacy``: the bus events that Ordinis wrote before its specification.

Nothing is guessed and nothing is dropped. A field is taken over under our name, or it is converted and its
original kept beside the envelope; :func:`restore` gives the event back as it came. What could mean two things
is refused. ``docs/adapter.md`` has the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from ordinis_learn.capture.adapter_payloads import UNMAPPED, PayloadMapping, mapping_of
from ordinis_learn.capture.adapter_reading import LegacyEvent, json_text
from ordinis_learn.errors import EventTopicUnknown
from ordinis_learn.records import REQUIRED_TAGS, SCHEMA_VERSION, Record

__all__ = ["LegacyFeed", "adapt", "restore"]

_ADAPTER: Final = "ordinis-legacy/1"
_COPIED: Final = ("event_id", "source", "trace_id")
"""Envelope fields that are taken over as they are; ``payload`` is handled by its mapping."""


class LegacyFeed(Record):
    """What the events do not say about themselves, declared by whoever imports them.

    ``naive_utc_sources`` are the values of ``source`` whose times without an offset are known to be UTC; such a
    time of any other source is refused. ``tags`` fill the envelope's required tags. ``horizon`` is given to
    signals that carry none. What was declared instead of carried is listed in the envelope's tag ``declared``.
    """

    naive_utc_sources: frozenset[str] = frozenset()
    tags: dict[str, str] = Field(default_factory=lambda: dict.fromkeys(sorted(REQUIRED_TAGS), "unknown"))
    horizon: str = Field("1d", pattern=r"^[1-9][0-9]*[dhm]$")


def adapt(raw: Mapping[str, Any], *, feed: LegacyFeed) -> dict[str, Any]:
    """Turn one event of the old shape into an envelope of JSON values.

    The same event always gives the same envelope, hence the same ``event_id``: importing a file again stores
    nothing twice. The envelope is not validated here; capture does that.

    Parameters
    ----------
    raw : Mapping
        One event as it was written: event_type, timestamp, source, payload, and optionally event_id, symbol,
        priority, trace_id, metadata and anything else.
    feed : LegacyFeed
        What was declared about where it comes from.

    Raises
    ------
    EventTopicUnknown
        There is no counterpart for the event's type.
    EventInvalid
        A needed field is missing, or could mean two things.

    Examples
    --------
    >>> signal = {
    ...     "symbol": "KO",
    ...     "timestamp": "2024-01-02T21:00:00",
    ...     "signal_type": "entry",
    ...     "direction": "long",
    ...     "probability": 0.7,
    ...     "model_id": "m",
    ... }
    >>> raw = {
    ...     "event_id": "1",
    ...     "event_type": "signal",
    ...     "timestamp": "2024-01-02T21:00:01",
    ...     "source": "signalcore",
    ...     "payload": signal,
    ... }
    >>> event = adapt(raw, feed=LegacyFeed(naive_utc_sources={"signalcore"}))
    >>> event["event_type"], event["ts_event"], event["payload"]["direction"]
    ('ordinis.signals.generated', '2024-01-02T21:00:00+00:00', 'LONG')
    >>> restore(event) == raw
    True
    """
    mapping = _mapping(raw.get("event_type"))
    event = LegacyEvent(raw, naive_utc_sources=feed.naive_utc_sources, horizon=feed.horizon)
    payload, kept = _payload(event, mapping)
    ingested = event.moment(raw.get("timestamp"), field="timestamp")
    envelope = {
        "event_id": event.event_id,
        "event_type": mapping.topic.value,
        "schema_version": SCHEMA_VERSION,
        "ts_event": (event.payload_moment() or ingested).isoformat(),
        "ts_ingest": ingested.isoformat(),
        "source": event.source,
        "trace_id": _trace_id(event),
        "correlation_id": _correlation_id(event),
        "partition_key": event.symbol,
        "payload": payload,
    }
    kept |= {name: raw[name] for name in raw if name != "payload" and not _is_copied(raw, name)}
    tags = {"adapter": _ADAPTER, "legacy": json_text(kept), "declared": ",".join(sorted(event.declared))}
    return envelope | {"tags": {**feed.tags, **tags}}


def restore(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event that an adapted envelope was made from, with every field and value.

    Parameters
    ----------
    envelope : Mapping
        What :func:`adapt` returned, or the same after a round trip through JSON.
    """
    kept: dict[str, Any] = json.loads(envelope["tags"]["legacy"])
    mapping = _mapping(kept["event_type"])
    payload = {
        source: envelope["payload"][target]
        for source, target in mapping.copies.items()
        if target in envelope["payload"]
    }
    payload |= kept.pop("payload", {})
    if mapping.keeps_in_metadata:
        payload |= envelope["payload"]["metadata"]["legacy"]
    declared = envelope["tags"]["declared"].split(",")
    copied = {name: envelope[name] for name in _COPIED if name in envelope and name not in declared}
    return {**copied, **kept, "payload": payload}


def _payload(event: LegacyEvent, mapping: PayloadMapping) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return our payload, and what of theirs has no place in it."""
    given = event.payload
    copied = {ours: given[theirs] for theirs, ours in mapping.copies.items() if given.get(theirs) is not None}
    payload = copied | mapping.build(event)
    kept = {name: given[name] for name in given if name not in mapping.copies or given[name] is None}
    if not mapping.keeps_in_metadata:
        return payload, {"payload": kept}
    return payload | {"metadata": payload["metadata"] | {"legacy": kept}}, {}


def _is_copied(raw: Mapping[str, Any], name: str) -> bool:
    """Tell whether a field is taken over as it is; a null is not, so that null and absent stay two things."""
    return name in _COPIED and isinstance(raw[name], str)


def _trace_id(event: LegacyEvent) -> str:
    given = event.raw.get("trace_id")
    if not isinstance(given, str):
        event.declared.add("trace_id")
        return ""
    return given


def _correlation_id(event: LegacyEvent) -> str:
    for candidate in (event.metadata.get("correlation_id"), event.raw.get("trace_id")):
        if isinstance(candidate, str) and candidate:
            return candidate
    event.declared.add("correlation_id")
    return event.event_id


def _mapping(event_type: Any) -> PayloadMapping:
    mapping = mapping_of(event_type) if isinstance(event_type, str) else None
    if mapping is None:
        raise EventTopicUnknown(
            f"adapt an event of type {event_type!r:.80}",
            found=UNMAPPED.get(str(event_type), "no such type is known"),
            next_step="see the table in docs/adapter.md; the event is kept whole in quarantine",
            field="event_type",
        )
    return mapping
