"""The columns in which stored events are read, the same for every log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Topic

__all__ = [
    "DAY_US",
    "PAYLOAD_COLUMNS",
    "SCAN_SCHEMA",
    "from_microseconds",
    "midnight",
    "to_microseconds",
]

DAY_US: Final = 86_400_000_000
"""Microseconds of a UTC day."""

_MOMENT: Final = pa.timestamp("us", tz="UTC")
_ENVELOPE: Final = (
    ("position", pa.int64()),
    ("event_id", pa.string()),
    ("ts_event", _MOMENT),
    ("ts_ingest", _MOMENT),
    ("partition_key", pa.string()),
    ("correlation_id", pa.string()),
)

SCAN_SCHEMA: Final = pa.schema([*_ENVELOPE, ("payload", pa.string())])
"""What :meth:`ordinis_learn.ports.EventLog.scan` returns."""

_FEATURES: Final = pa.map_(pa.string(), pa.float64())
_FILL: Final = pa.struct(
    [
        ("fill_id", pa.string()),
        ("ts", _MOMENT),
        ("qty", pa.float64()),
        ("price", pa.float64()),
        ("fee", pa.float64()),
    ]
)

_FIELDS: Final[Mapping[Topic, Mapping[str, pa.DataType]]] = {
    Topic.SIGNAL: {
        "signal_id": pa.string(),
        "symbol": pa.string(),
        "direction": pa.string(),
        "confidence": pa.float64(),
        "horizon": pa.string(),
        "ttl_ms": pa.int64(),
        "model_id": pa.string(),
        "strategy_id": pa.string(),
        "feature_version": pa.string(),
        "features": _FEATURES,
    },
    Topic.FEATURES: {
        "symbol": pa.string(),
        "tf": pa.string(),
        "feature_version": pa.string(),
        "features": _FEATURES,
        "window_ref": pa.string(),
    },
    Topic.RISK: {
        "signal_id": pa.string(),
        "allowed": pa.bool_(),
        "reasons": pa.list_(pa.string()),
        "policy_version": pa.string(),
        "risk_snapshot_ref": pa.string(),
    },
    Topic.INTENT: {
        "order_id": pa.string(),
        "signal_id": pa.string(),
        "symbol": pa.string(),
        "side": pa.string(),
        "qty": pa.float64(),
    },
    Topic.EXECUTION: {
        "order_id": pa.string(),
        "signal_id": pa.string(),
        "status": pa.string(),
        "fills": pa.list_(_FILL),
        "avg_price": pa.float64(),
        "fees": pa.float64(),
        "slippage": pa.float64(),
        "raw_broker_ref": pa.string(),
    },
    Topic.PORTFOLIO: {"ts": _MOMENT, "cash": pa.float64(), "equity": pa.float64()},
    Topic.ANALYTICS: {"run_id": pa.string(), "period": pa.string(), "narrative_ref": pa.string()},
    Topic.AI_RESPONSE: {
        "model_used": pa.string(),
        "latency_ms": pa.float64(),
        "text": pa.string(),
        "request_hash": pa.string(),
    },
    Topic.AI_REFUSAL: {
        "refusal_reason": pa.string(),
        "policy_ref": pa.string(),
        "request_hash": pa.string(),
    },
    Topic.AI_FEEDBACK: {
        "request_hash": pa.string(),
        "grade": pa.float64(),
        "grader": pa.string(),
        "comment": pa.string(),
    },
    Topic.BAR: {
        "symbol": pa.string(),
        "tf": pa.string(),
        "ts": _MOMENT,
        "session": pa.date32(),
        "close": pa.float64(),
        "open": pa.float64(),
        "high": pa.float64(),
        "low": pa.float64(),
        "volume": pa.float64(),
        "split_factor": pa.float64(),
        "dividend": pa.float64(),
    },
}

PAYLOAD_COLUMNS: Final[Mapping[Topic, pa.Schema]] = MappingProxyType(
    {topic: pa.schema([*_ENVELOPE, *fields.items()]) for topic, fields in _FIELDS.items()}
)
"""What :meth:`ordinis_learn.ports.EventLog.read_columns` returns, by topic.

The envelope first, then what the payload says, with the defaults of the record model filled in. The
``features`` of a signal are those of its ``metadata``, null where it carried none. ``signal_id`` of an
execution report is a field of a newer minor version; null where it was not carried. An integer that does
not fit 64 bits is null. What has no column is in the payload text.
"""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_microseconds(moment: datetime) -> int:
    """Return an aware moment as microseconds since 1970 (UTC), exactly.

    Examples
    --------
    >>> to_microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    if moment.tzinfo is None:
        raise ConfigInvalid(
            f"use the time {moment.isoformat()}",
            found="it has no offset from UTC",
            next_step="pass an aware datetime, e.g. datetime(..., tzinfo=UTC)",
        )
    distance = moment - _EPOCH
    return (distance.days * 86_400 + distance.seconds) * 1_000_000 + distance.microseconds


def from_microseconds(value: int) -> datetime:
    """Return the UTC moment of :func:`to_microseconds`, exactly.

    Examples
    --------
    >>> from_microseconds(1_000_005).isoformat()
    '1970-01-01T00:00:01.000005+00:00'
    """
    seconds, microseconds = divmod(value, 1_000_000)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=microseconds)


def midnight(day: date) -> int:
    """Return the beginning of a UTC day in microseconds since 1970.

    Examples
    --------
    >>> midnight(date(1970, 1, 2)) == DAY_US
    True
    """
    return to_microseconds(datetime.combine(day, time(), tzinfo=UTC))
