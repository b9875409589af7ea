"""Whether an event may enter the log: its envelope, its type, its version, its tags, its payload.

What is checked is the JSON that will be stored, in pydantic's strict mode: ``"0.7"`` is no number and a
bare number is no time. Objects of Python that have a JSON form (aware datetimes, enums) are written in it
first.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from ordinis_learn.capture._msgspec import quick_row
from ordinis_learn.capture.rows import row_of
from ordinis_learn.errors import (
    EventInvalid,
    EventTagsMissing,
    EventTooLarge,
    EventTopicUnknown,
    EventVersionUnsupported,
)
from ordinis_learn.ports import EventRow
from ordinis_learn.records import PAYLOADS, REQUIRED_TAGS, SCHEMA_VERSION, Envelope, Record, Topic

__all__ = ["MAX_PAYLOAD_BYTES", "Event", "validate_event", "validate_row"]

MAX_PAYLOAD_BYTES: Final = 1 << 20
"""The bus's own limit on a payload's JSON."""

Event = Mapping[str, Any] | bytes | str
"""What a caller may hand over: a mapping, or one JSON object as text."""

_SCHEMAS: Final[Mapping[str, type[Record]]] = {topic.value: model for topic, model in PAYLOADS.items()}
_MAJOR, _MINOR = (int(part) for part in SCHEMA_VERSION.split(".")[:2])


class _NewerEnvelope(Envelope, extra="allow"):
    """An envelope of a newer minor version: what it has beyond ours is kept."""


def validate_event(event: Event) -> Envelope:
    """Check an event and return it as an envelope.

    A newer minor ``schema_version`` may add fields anywhere; they are kept as they came. An event of
    another major version is refused, since its fields may mean something else.

    Parameters
    ----------
    event : mapping, bytes or str
        The envelope with its payload.

    Returns
    -------
    Envelope
        With ``payload_json`` already computed: compact JSON without NaN.

    Raises
    ------
    EventTopicUnknown, EventVersionUnsupported, EventTagsMissing, EventTooLarge
        What their names say.
    EventInvalid
        Everything else: no JSON, a missing or unknown field, a naive time, a NaN, a value out of range.

    Examples
    --------
    >>> moment = "2024-01-02T21:00:00Z"
    >>> bar = {"symbol": "KO", "tf": "1d", "ts": moment, "session": "2024-01-02", "close": 59.8}
    >>> event = {
    ...     "event_id": "1",
    ...     "event_type": "ordinis.market.bar.closed",
    ...     "ts_event": moment,
    ...     "ts_ingest": moment,
    ...     "source": "doc",
    ...     "correlation_id": "1",
    ...     "partition_key": "KO",
    ...     "payload": bar,
    ...     "tags": {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"},
    ... }
    >>> validate_event(event).payload_json
    '{"symbol":"KO","tf":"1d","ts":"2024-01-02T21:00:00Z","session":"2024-01-02","close":59.8}'
    >>> validate_event(event | {"ts_event": "2024-01-02T21:00:00"})
    Traceback (most recent call last):
        ...
    ordinis_learn.errors.EventInvalid: E_EVT_SCHEMA_INVALID: record event '1' of type \
'ordinis.market.bar.closed': ts_event is '2024-01-02T21:00:00': Input should have timezone info. \
Next: give ts_event its offset from UTC, as in 2024-01-02T21:00:00Z, and send the event again
    """
    envelope = _read_envelope(_as_json(event))
    schema = _SCHEMAS.get(envelope.event_type)
    if schema is None:
        raise EventTopicUnknown(
            _asked(envelope.event_id, envelope.event_type),
            found=f"no schema is known for event_type {envelope.event_type!r}",
            next_step=f"use one of {', '.join(Topic)}",
            field="event_type",
        )
    newer_minor = _is_newer_minor(envelope)
    _check_tags(envelope)
    _check_payload(envelope, schema, newer_minor=newer_minor)
    return envelope


def validate_row(event: Event) -> EventRow:
    """Check an event and return the row to store: ``row_of(validate_event(event))``, several times as fast.

    Raises
    ------
    EventInvalid
        As :func:`validate_event`, which alone decides what is refused and why.
    """
    raw = _as_json(event)
    return quick_row(raw, max_payload_bytes=MAX_PAYLOAD_BYTES) or row_of(validate_event(raw))


def _as_json(event: Event) -> bytes | str:
    if isinstance(event, bytes | str):
        return event
    if not isinstance(event, Mapping):
        raise EventInvalid(
            "record an event",
            found=f"a value of type {type(event).__name__}",
            next_step="pass a mapping, or one JSON object as bytes or str",
            field="",
        )
    if not event:
        raise _empty()
    try:
        return to_json(dict(event), inf_nan_mode="constants")
    except ValueError as error:
        raise EventInvalid(
            _asked(event.get("event_id"), event.get("event_type")),
            found=f"the event cannot be written as JSON: {error}",
            next_step="use JSON values only (text, numbers, booleans, null, lists, objects)",
            field="",
        ) from error


def _empty() -> EventInvalid:
    required = [name for name, field in Envelope.model_fields.items() if field.is_required()]
    return EventInvalid(
        "record an event",
        found="the event is empty",
        next_step=f"fill in the envelope; it needs {', '.join(required)}",
        field="",
    )


def _read_envelope(raw: bytes | str) -> Envelope:
    try:
        return Envelope.model_validate_json(raw, strict=True)
    except ValidationError as error:
        return _read_odd_envelope(raw, error)


def _read_odd_envelope(raw: bytes | str, error: ValidationError) -> Envelope:
    """Read an envelope with fields we do not know, or say what is wrong with it."""
    problems = error.errors(include_url=False)
    kinds = {problem["type"] for problem in problems}
    if problems[0]["loc"] == ():
        raise EventInvalid(
            "record an event",
            found=problems[0]["msg"],
            next_step="send one JSON object in UTF-8",
            field="",
        ) from error
    fields = from_json(raw)
    if not fields:
        raise _empty() from error
    asked = _asked(fields.get("event_id"), fields.get("event_type"))
    major, minor = _version_of(fields.get("schema_version"))
    if major != _MAJOR:
        raise _unsupported_version(asked, fields["schema_version"]) from error
    if kinds == {"extra_forbidden"} and minor > _MINOR:
        return _NewerEnvelope.model_validate_json(raw, strict=True)
    if [problem["loc"] for problem in problems] == [("tags",)] and kinds == {"missing"}:
        raise _tags_missing(asked, sorted(REQUIRED_TAGS)) from error
    raise _invalid(asked, problems, prefix="") from error


def _version_of(value: Any) -> tuple[int, int]:
    parts = value.split(".") if isinstance(value, str) else []
    if len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts):
        return int(parts[0]), int(parts[1])
    return _MAJOR, _MINOR


def _is_newer_minor(envelope: Envelope) -> bool:
    if envelope.schema_version == SCHEMA_VERSION:
        return False
    major, minor = _version_of(envelope.schema_version)
    if major != _MAJOR:
        raise _unsupported_version(_asked(envelope.event_id, envelope.event_type), envelope.schema_version)
    return minor > _MINOR


def _check_tags(envelope: Envelope) -> None:
    if not envelope.tags.keys() >= REQUIRED_TAGS:
        missing = sorted(REQUIRED_TAGS - envelope.tags.keys())
        raise _tags_missing(_asked(envelope.event_id, envelope.event_type), missing)


def _check_payload(envelope: Envelope, schema: type[Record], *, newer_minor: bool) -> None:
    asked = _asked(envelope.event_id, envelope.event_type)
    try:
        text = envelope.payload_json
    except ValueError as error:
        field, value = next(_not_finite(envelope.payload, path="payload"))
        raise EventInvalid(
            asked,
            found=f"{field} is {value}, not a finite number",
            next_step=f"give {field} a finite value, or leave the event out",
            field=field,
        ) from error
    size = len(text) if text.isascii() else len(text.encode())
    if size > MAX_PAYLOAD_BYTES:
        raise EventTooLarge(
            asked,
            found=f"a payload of {size:,} bytes, over the limit of {MAX_PAYLOAD_BYTES:,}",
            next_step="store the large part elsewhere and send its reference",
            field="payload",
        )
    try:
        schema.model_validate_json(text, strict=True)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        if not (newer_minor and all(problem["type"] == "extra_forbidden" for problem in problems)):
            raise _invalid(asked, problems, prefix="payload.") from error


def _not_finite(value: Any, *, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _not_finite(item, path=f"{path}.{name}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _not_finite(item, path=f"{path}.{position}")


def _asked(event_id: Any, event_type: Any) -> str:
    return f"record event {reprlib.repr(event_id)} of type {event_type!r:.80}"


def _unsupported_version(asked: str, version: str) -> EventVersionUnsupported:
    return EventVersionUnsupported(
        asked,
        found=f"schema_version {version}; this release reads {_MAJOR}.x",
        next_step=f"send schema_version {SCHEMA_VERSION}, or upgrade ordinis-learn if the sender is newer",
        field="schema_version",
    )


def _tags_missing(asked: str, missing: list[str]) -> EventTagsMissing:
    return EventTagsMissing(
        asked,
        found=f"tags lacks {', '.join(missing)}",
        next_step=f"add {', '.join(f'tags.{name}' for name in missing)} and send the event again",
        field="tags",
        missing=missing,
    )


def _invalid(asked: str, problems: list[ErrorDetails], *, prefix: str) -> EventInvalid:
    first = problems[0]
    field = prefix + ".".join(str(part) for part in first["loc"]) if first["loc"] else prefix.rstrip(".")
    found = _found(first, field or "the event")
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return EventInvalid(asked, found=found + more, next_step=_next_step(first["type"], field), field=field)


def _found(problem: ErrorDetails, field: str) -> str:
    if problem["type"] == "missing":
        return f"{field} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{field} is not a field of this schema"
    return f"{field} is {reprlib.repr(problem['input'])}: {problem['msg']}"


def _next_step(kind: str, field: str) -> str:
    match kind:
        case "missing":
            return f"add {field} and send the event again"
        case "extra_forbidden":
            return f"remove {field}, or raise the minor of schema_version if the field is new"
        case "timezone_aware":
            return f"give {field} its offset from UTC, as in 2024-01-02T21:00:00Z, and send the event again"
        case _:
            return f"correct {field or 'the event'} and send it again"
