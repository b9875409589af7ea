"""The quick way to a stored row: the record models' rules as msgspec structs.

A struct accepts only what its record model accepts, and the row it gives is the one the record model would
give, byte for byte; a property over every event type holds the two together. Whatever a struct does not
accept is undecided here, never refused: the record model reads it again and writes the reasons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct, field
from pydantic_core import from_json, to_json

from ordinis_learn.capture.columns import to_microseconds
from ordinis_learn.ports import EventRow
from ordinis_learn.records import REQUIRED_TAGS, SCHEMA_VERSION, Topic

__all__ = ["quick_row"]

_Name = Annotated[str, Meta(min_length=1, max_length=256)]
_Moment = Annotated[datetime, Meta(tz=True)]
_Positive = Annotated[float, Meta(gt=0)]
_NotNegative = Annotated[float, Meta(ge=0)]
# Python's $ would match before a final newline too, which the record models' regular expressions do not.
_Horizon = Annotated[str, Meta(pattern=r"^[1-9][0-9]*[dhm]\Z")]
_Reason = Annotated[str, Meta(pattern=r"^RISK\.[A-Z_]+\.[A-Z_]+\Z")]


class _Payload(Struct, forbid_unknown_fields=True, gc=False):
    """Fields that are not listed are not accepted."""


class _Metadata(Struct, gc=False):
    features: dict[str, float] = field(default_factory=dict)


class _Signal(_Payload):
    signal_id: _Name
    symbol: _Name
    direction: Literal["LONG", "SHORT", "FLAT"]
    confidence: Annotated[float, Meta(ge=0, le=1)]
    horizon: _Horizon
    model_id: _Name
    strategy_id: _Name
    feature_version: _Name
    ttl_ms: Annotated[int, Meta(gt=0)] = 60_000
    metadata: _Metadata = field(default_factory=_Metadata)


class _Features(_Payload):
    symbol: _Name
    tf: _Name
    feature_version: _Name
    features: dict[str, float]
    window_ref: str | None = None


class _Risk(_Payload):
    signal_id: _Name
    allowed: bool
    policy_version: _Name
    risk_snapshot_ref: str
    adjustments: dict[str, Any] = field(default_factory=dict)
    reasons: list[_Reason] = field(default_factory=list)


class _Intent(_Payload):
    order_id: _Name
    signal_id: _Name
    symbol: _Name
    side: Literal["buy", "sell"]
    qty: _Positive


class _Fill(_Payload):
    fill_id: _Name
    ts: _Moment
    qty: _Positive
    price: _Positive
    fee: _NotNegative = 0.0


class _Execution(_Payload):
    order_id: _Name
    status: Literal["submitted", "partial_fill", "filled", "rejected", "canceled"]
    fills: list[_Fill] = field(default_factory=list)
    avg_price: float | None = None
    fees: _NotNegative = 0.0
    slippage: float = 0.0
    raw_broker_ref: str | None = None


class _Portfolio(_Payload):
    ts: _Moment
    cash: float
    equity: float
    positions: list[dict[str, Any]] = field(default_factory=list)
    exposures: dict[str, float] = field(default_factory=dict)
    pnl: dict[str, float] = field(default_factory=dict)


class _Analytics(_Payload):
    run_id: _Name
    period: _Name
    metrics: dict[str, float]
    metric_quality: dict[str, str] = field(default_factory=dict)
    narrative_ref: str | None = None
    artifacts: dict[str, str] = field(default_factory=dict)


class _Response(_Payload):
    model_used: _Name
    latency_ms: _NotNegative
    request_hash: _Name
    token_usage: dict[str, int] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    text: str | None = None
    citations: list[dict[str, Any]] = field(default_factory=list)
    safety_findings: list[dict[str, Any]] = field(default_factory=list)


class _Refusal(_Payload):
    refusal_reason: _Name
    policy_ref: str | None = None
    request_hash: str | None = None


class _Feedback(_Payload):
    request_hash: _Name
    grade: Annotated[float, Meta(ge=0, le=1)]
    grader: _Name
    relevant: list[dict[str, Any]] = field(default_factory=list)
    comment: str | None = None


class _Bar(_Payload):
    symbol: _Name
    tf: _Name
    ts: _Moment
    session: date
    close: _Positive
    open: _Positive | None = None
    high: _Positive | None = None
    low: _Positive | None = None
    volume: _NotNegative | None = None
    split_factor: _Positive | None = None
    dividend: _NotNegative | None = None


class _Envelope(Struct, forbid_unknown_fields=True, gc=False):
    """Times are text here: msgspec rounds what is finer than a microsecond, the record model cuts it off."""

    event_id: _Name
    event_type: str
    ts_event: str
    ts_ingest: str
    source: _Name
    correlation_id: _Name
    partition_key: _Name
    payload: msgspec.Raw
    tags: dict[str, str]
    schema_version: str = SCHEMA_VERSION
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str | None = None
    idempotency_key: str | None = None
    sig: str | None = None


class _Rest(Struct, gc=False):
    """What of an envelope has no column, in the order in which the record model writes it."""

    schema_version: str
    source: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    tags: dict[str, str]
    idempotency_key: str | None
    sig: str | None


_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_YEARS: Final = range(2, 9999)  # elsewhere a moment may leave the calendar when it is put into UTC
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
# No number in JSON, or the first and the last year of the calendar: a moment there may have no UTC.
_UNUSUAL: Final = (b"NaN", b"Infinity", b"0001-", b"9999-")
_REST: Final = msgspec.json.Encoder()
_PAYLOADS: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    topic.value: msgspec.json.Decoder(struct)
    for topic, struct in {
        Topic.SIGNAL: _Signal,
        Topic.RISK: _Risk,
        Topic.EXECUTION: _Execution,
        Topic.PORTFOLIO: _Portfolio,
        Topic.ANALYTICS: _Analytics,
        Topic.AI_RESPONSE: _Response,
        Topic.AI_REFUSAL: _Refusal,
        Topic.AI_FEEDBACK: _Feedback,
        Topic.FEATURES: _Features,
        Topic.BAR: _Bar,
        Topic.INTENT: _Intent,
    }.items()
}


def quick_row(raw: bytes | str, *, max_payload_bytes: int) -> EventRow | None:
    """Return the row of an event, or None when the record model has to decide."""
    if b"\\u0000" in raw if isinstance(raw, bytes) else "\\u0000" in raw:
        return None
    try:
        event = _ENVELOPE.decode(raw)
        payload = _PAYLOADS[event.event_type]
        text = to_json(from_json(bytes(event.payload)), inf_nan_mode="constants")
        payload.decode(text)
        ts_event, ts_ingest = _microseconds(event.ts_event), _microseconds(event.ts_ingest)
    except (msgspec.MsgspecError, KeyError, ValueError, RecursionError):
        return None
    if len(text) > max_payload_bytes or _is_doubtful(event, text):
        return None
    return EventRow(
        event.event_id,
        event.event_type,
        ts_event,
        ts_ingest,
        event.partition_key,
        event.correlation_id,
        _rest(event),
        text.decode(),
    )


def _is_doubtful(event: _Envelope, text: bytes) -> bool:
    """Whether something holds that the structs do not look at."""
    return (
        event.schema_version != SCHEMA_VERSION
        or not event.tags.keys() >= REQUIRED_TAGS
        or any(word in text for word in _UNUSUAL)
    )


def _microseconds(text: str) -> int:
    """Return a moment in the spelling that leaves no room for interpretation; else a ValueError."""
    moment = datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    if moment is None or moment.year not in _YEARS:
        raise ValueError(f"{text!r} is left to the record model")
    return to_microseconds(moment)


def _rest(event: _Envelope) -> str:
    rest = _Rest(
        event.schema_version,
        event.source,
        event.trace_id,
        event.span_id,
        event.parent_span_id,
        event.tags,
        event.idempotency_key,
        event.sig,
    )
    return _REST.encode(rest).decode()
