"""From the event log to the rows of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.datasets.features import FEATURE_PREFIX, FEATURE_QUERIES, read_features
from ordinis_learn.labelling import (
    EXECUTION_QUERIES,
    LABEL_QUERIES,
    join_executions,
    label_signals,
    net_returns,
    sample_uniqueness,
)
from ordinis_learn.ports import EventLog
from ordinis_learn.records import DatasetWindow, EventRange, Topic, hash_of

__all__ = ["QUERY_HASH", "Assembled", "assemble"]

TOPICS: Final = (Topic.SIGNAL, Topic.BAR, Topic.RISK, Topic.INTENT, Topic.EXECUTION)
QUERY_HASH: Final = hash_of(
    [*LABEL_QUERIES, *EXECUTION_QUERIES, *FEATURE_QUERIES], domain="ordinis.dataset.queries"
)
"""One hash over every SQL text that has a part in a dataset."""

_KEYS: Final = (
    "signal_id",
    "symbol",
    "session",
    "ts_signal",
    "direction",
    "confidence",
    "model_id",
    "strategy_id",
    "feature_version",
)
_EXECUTION: Final = (
    "allowed",
    "order_id",
    "filled_qty",
    "avg_fill_price",
    "fees",
    "slippage",
    "join_quality",
)
_LABEL: Final = (
    "fwd_ret",
    "signed_ret",
    "risk_adj",
    "net_ret",
    "label_start",
    "label_end",
    "label_available_at",
    "uniqueness",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Assembled:
    """The rows, the names of their features (without prefix), and the events they came from."""

    table: pa.Table
    feature_names: tuple[str, ...]
    event_range: EventRange

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """The names of the feature columns, in the order of ``feature_names``."""
        return tuple(FEATURE_PREFIX + name for name in self.feature_names)


def assemble(log: EventLog, *, window: DatasetWindow) -> Assembled:
    """Read a window from the log and label it.

    The log's position is read first and nothing later is looked at, so events that arrive meanwhile do not
    matter. Only what was known at ``window.as_of`` is read. Signals count by their session, not by the date
    of their time stamp.
    """
    position = log.position()
    # A session closes less than a day before its date begins in UTC, wherever the venue is.
    start = datetime.combine(window.start, time(), tzinfo=UTC) - timedelta(days=1)
    end = None if window.as_of is None else window.as_of + timedelta(microseconds=1)
    events = {
        topic: log.scan(topic, start=start, end=end, until_position=position).combine_chunks()
        for topic in TOPICS
    }
    labels = label_signals(
        events[Topic.SIGNAL], events[Topic.BAR], horizons=window.horizons, as_of=window.as_of
    )
    table = _with_executions(labels.filter(_within(labels, window)), events=events, horizons=window.horizons)
    features = read_features(_only(events[Topic.SIGNAL], table["event_id"]))
    names = [name for name in features.column_names if name != "event_id"]
    table = _attach(table, features, names=names)
    for horizon in window.horizons:
        table = table.append_column(f"uniqueness_{horizon}d", _uniqueness(table, horizon))
    labels_order = [f"{name}_{horizon}d" for horizon in window.horizons for name in _LABEL]
    return Assembled(
        table=table.select([*_KEYS, *names, *_EXECUTION, *labels_order]).combine_chunks(),
        feature_names=tuple(name.removeprefix(FEATURE_PREFIX) for name in names),
        event_range=_event_range(events, position),
    )


def _within(labels: pa.Table, window: DatasetWindow) -> pa.ChunkedArray:
    session = labels["session"]
    inside = pc.and_(pc.greater_equal(session, window.start), pc.less_equal(session, window.end))
    if window.symbols is not None:
        inside = pc.and_(inside, pc.is_in(labels["symbol"], value_set=pa.array(window.symbols, pa.string())))
    return inside


def _with_executions(labels: pa.Table, *, events: dict[Topic, pa.Table], horizons: Sequence[int]) -> pa.Table:
    joined = join_executions(
        events[Topic.SIGNAL],
        risk=events[Topic.RISK],
        intents=events[Topic.INTENT],
        executions=events[Topic.EXECUTION],
    )
    table = _attach(labels, joined.outcomes, names=_EXECUTION)
    net = net_returns(labels, fills=joined.fills, horizons=horizons)
    for name in net.column_names:
        table = table.append_column(name, net[name])
    return table


def _only(events: pa.Table, event_ids: pa.ChunkedArray) -> pa.Table:
    return events.filter(pc.is_in(events["event_id"], value_set=event_ids.combine_chunks()))


def _attach(table: pa.Table, other: pa.Table, *, names: Sequence[str]) -> pa.Table:
    """Append columns of a table that has every ``event_id`` of this one, exactly once."""
    rows = pc.index_in(table["event_id"], value_set=other["event_id"].combine_chunks())
    for name in names:
        table = table.append_column(name, other[name].take(rows))
    return table


def _uniqueness(table: pa.Table, horizon: int) -> pa.Array:
    """Uniqueness of the labelled rows among each other, null elsewhere.

    A label made at session s returns over the sessions s+2..s+1+h: the entry is at the close of s+1.
    """
    labelled = np.asarray(table[f"fwd_ret_{horizon}d"].is_valid())
    number = table["session_number"].to_numpy(zero_copy_only=False)[labelled].astype(np.int64)
    symbol = table["symbol"].to_numpy(zero_copy_only=False)[labelled].astype(str)
    values = np.zeros(table.num_rows)
    values[labelled] = sample_uniqueness(number + 2, last=number + 1 + horizon, group=symbol)
    return pa.array(values, mask=~labelled)


def _event_range(events: dict[Topic, pa.Table], position: int) -> EventRange:
    spans = [pc.min_max(table["ts_event"]).as_py() for table in events.values() if table.num_rows]
    return EventRange(
        types=tuple(topic.value for topic in TOPICS),
        count=sum(table.num_rows for table in events.values()),
        first=min((span["min"] for span in spans), default=None),
        last=max((span["max"] for span in spans), default=None),
        log_position=position,
    )
