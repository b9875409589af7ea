"""The columns of captured events that labels need.

Each function takes events of one topic as :meth:`~ordinis_learn.ports.EventLog.read_columns` gives them, or a scan
with payload text (then the text is parsed), or what it returned before (then it is returned as it is). Every
payload is parsed at most once.

``symbol`` is the envelope's ``partition_key``, on every topic, and everything is joined within one symbol: that is
what makes a bucket of symbols complete in itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.capture.payload_columns import typed_columns
from ordinis_learn.records import Topic

__all__ = [
    "COLUMN_RULES",
    "FEATURE_PREFIX",
    "TOPIC_COLUMNS",
    "EventColumns",
    "bar_columns",
    "decision_columns",
    "event_columns",
    "intent_columns",
    "report_columns",
    "signal_columns",
]

FEATURE_PREFIX: Final = "f_"
"""In front of a feature's name in a table, so that it cannot collide with another column."""

COLUMN_RULES: Final = "ordinis.labels.columns.v2"
"""The name of this file's rules, for the manifest's ``query_hash``; other rules need another name."""

_SIGNAL: Final = (
    "event_id",
    "ts_event",
    "correlation_id",
    "signal_id",
    "symbol",
    "direction",
    "confidence",
    "model_id",
    "strategy_id",
    "feature_version",
)
_BAR: Final = (
    *("event_id", "ts_event", "symbol", "tf", "session"),
    *("close", "open", "high", "low", "split_factor", "dividend"),
)
_DECISION: Final = ("event_id", "ts_event", "symbol", "signal_id", "allowed")
_INTENT: Final = ("event_id", "ts_event", "symbol", "order_id", "signal_id", "side")
_REPORT: Final = (
    "event_id",
    "ts_event",
    "correlation_id",
    "symbol",
    "order_id",
    "signal_id",
    "status",
    "fees",
    "slippage",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class EventColumns:
    """The typed events of some symbols, in no particular order.

    Attributes
    ----------
    signals : pa.Table
        event_id, ts_event, correlation_id, signal_id, symbol, direction (int8, +1, -1 or 0), confidence, model_id,
        strategy_id, feature_version, and a float64 column ``f_<name>`` per feature, null where not carried.
    bars : pa.Table
        event_id, ts_event, symbol, tf (lower case), session (date32), close, open, high, low, split_factor, dividend.
    decisions, intents : pa.Table
        event_id, ts_event, symbol, signal_id, and ``allowed``; or ``order_id`` and ``side``.
    reports : pa.Table
        One row per fill (one with nulls for a report without fills): event_id, ts_event, correlation_id, symbol,
        order_id, signal_id, status, fees, slippage, fill_id, filled_at, qty, price, fee.
    """

    signals: pa.Table
    bars: pa.Table
    decisions: pa.Table
    intents: pa.Table
    reports: pa.Table


def event_columns(read: Callable[[Topic], pa.Table]) -> EventColumns:
    """Read the five topics that labels are made from."""
    return EventColumns(**{name: typed(read(topic)) for topic, (name, typed) in TOPIC_COLUMNS.items()})


def signal_columns(events: pa.Table) -> pa.Table:
    """Return signals as columns, their features ordered by name."""
    events = _typed(Topic.SIGNAL, events)
    if "partition_key" not in events.column_names:
        return events
    said = events["direction"]
    sign = pc.if_else(pc.equal(said, "LONG"), 1, pc.if_else(pc.equal(said, "SHORT"), -1, 0)).cast(pa.int8())
    columns = _pick(events, _SIGNAL) | {"direction": sign}
    return pa.table(columns | _features(events["features"].combine_chunks()))


def bar_columns(events: pa.Table) -> pa.Table:
    """Return market bars as columns."""
    events = _typed(Topic.BAR, events)
    if "partition_key" not in events.column_names:
        return events
    return pa.table(_pick(events, _BAR) | {"tf": pc.utf8_lower(events["tf"])})


def decision_columns(events: pa.Table) -> pa.Table:
    """Return risk decisions as columns."""
    return _renamed(Topic.RISK, events, _DECISION)


def intent_columns(events: pa.Table) -> pa.Table:
    """Return order intents as columns."""
    return _renamed(Topic.INTENT, events, _INTENT)


def report_columns(events: pa.Table) -> pa.Table:
    """Return execution reports as columns, one row per fill."""
    events = _typed(Topic.EXECUTION, events)
    if "partition_key" not in events.column_names:
        return events
    fills = events["fills"].combine_chunks()
    lengths = np.asarray(pc.fill_null(pc.list_value_length(fills), 0), dtype=np.int64)
    rows = np.repeat(np.arange(len(fills)), np.maximum(lengths, 1))
    has_fill = lengths[rows] > 0
    fill = fills.flatten().take(pa.array(np.cumsum(has_fill) - 1, mask=~has_fill))
    names = {"fill_id": "fill_id", "filled_at": "ts", "qty": "qty", "price": "price", "fee": "fee"}
    opened = {name: pc.struct_field(fill, field) for name, field in names.items()}
    return pa.table(_pick(events.take(pa.array(rows)), _REPORT) | opened)


TOPIC_COLUMNS: Final[Mapping[Topic, tuple[str, Callable[[pa.Table], pa.Table]]]] = MappingProxyType(
    {
        Topic.SIGNAL: ("signals", signal_columns),
        Topic.BAR: ("bars", bar_columns),
        Topic.RISK: ("decisions", decision_columns),
        Topic.INTENT: ("intents", intent_columns),
        Topic.EXECUTION: ("reports", report_columns),
    }
)
"""The topics that labels are made from: what :class:`EventColumns` calls each, and how it is read."""


def _typed(topic: Topic, events: pa.Table) -> pa.Table:
    return typed_columns(topic, events) if "payload" in events.column_names else events


def _renamed(topic: Topic, events: pa.Table, names: tuple[str, ...]) -> pa.Table:
    events = _typed(topic, events)
    return pa.table(_pick(events, names)) if "partition_key" in events.column_names else events


def _pick(events: pa.Table, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: events["partition_key" if name == "symbol" else name] for name in names}


def _features(maps: pa.MapArray) -> dict[str, Any]:
    """Turn a map of features per row into a column per name, ordered by name."""
    lengths = np.diff(np.asarray(maps.offsets))
    rows = np.repeat(np.arange(len(maps)), np.where(np.asarray(maps.is_valid()), lengths, 0))
    entries = maps.drop_null()
    keys, values = entries.keys, entries.items
    named = keys.dictionary_encode()
    codes = np.asarray(named.indices, dtype=np.int64)
    columns: dict[str, pa.Array] = {}
    for code, name in sorted(enumerate(named.dictionary.to_pylist()), key=lambda item: item[1]):
        found = np.flatnonzero(codes == code)
        where = np.full(len(maps), -1, dtype=np.int64)
        where[rows[found]] = found
        columns[FEATURE_PREFIX + name] = values.take(pa.array(where, mask=where < 0))
    return columns
