"""The columns in which stored events are read, the same for every log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import pyarrow as pa

from ordinis_learn.errors import ConfigInvalid

__all__ = ["SCAN_SCHEMA", "from_microseconds", "to_microseconds"]

SCAN_SCHEMA: Final = pa.schema(
    [
        ("position", pa.int64()),
        ("event_id", pa.string()),
        ("ts_event", pa.timestamp("us", tz="UTC")),
        ("ts_ingest", pa.timestamp("us", tz="UTC")),
        ("partition_key", pa.string()),
        ("correlation_id", pa.string()),
        ("payload", pa.string()),
    ]
)
"""What :meth:`ordinis_learn.ports.EventLog.scan` returns."""

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
