"""Payloads as typed columns: every topic's JSON is parsed once, here, and nowhere else.

A scan of the event log holds payloads as JSON text. Each function takes a scan and returns the columns that
labels need; a table without a ``payload`` column is typed already and comes back as it is. So whoever can read
typed columns from storage saves the parse.

``symbol`` is the payload's for signals and bars, and the envelope's ``partition_key`` for risk decisions, intents
and execution reports. Everything is joined within one symbol: that is what makes a bucket of symbols complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.labelling.query import open_queries
from ordinis_learn.records import Topic

__all__ = [
    "COLUMN_QUERIES",
    "FEATURE_PREFIX",
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

# A map, because struct fields in DuckDB do not tell upper from lower case.
_SIGNALS: Final = """
WITH parsed AS (
    SELECT event_id, ts_event, correlation_id, json_transform(payload,
        '{"signal_id": "VARCHAR", "symbol": "VARCHAR", "direction": "VARCHAR", "confidence": "DOUBLE",
          "model_id": "VARCHAR", "strategy_id": "VARCHAR", "feature_version": "VARCHAR",
          "metadata": {"features": "MAP(VARCHAR, DOUBLE)"}}') AS signal
    FROM events
)
SELECT event_id, ts_event, correlation_id, signal.signal_id, signal.symbol,
    CAST(CASE signal.direction WHEN 'LONG' THEN 1 WHEN 'SHORT' THEN -1 ELSE 0 END AS TINYINT) AS direction,
    signal.confidence, signal.model_id, signal.strategy_id, signal.feature_version,
    signal.metadata.features AS features
FROM parsed
"""

_BARS: Final = """
WITH parsed AS (
    SELECT event_id, ts_event, json_transform(payload,
        '{"symbol": "VARCHAR", "tf": "VARCHAR", "session": "DATE", "close": "DOUBLE"}') AS bar
    FROM events
)
SELECT event_id, ts_event, bar.symbol, lower(bar.tf) AS tf, bar.session, bar.close FROM parsed
"""

_DECISIONS: Final = """
WITH parsed AS (
    SELECT event_id, ts_event, partition_key,
        json_transform(payload, '{"signal_id": "VARCHAR", "allowed": "BOOLEAN"}') AS decision
    FROM events
)
SELECT event_id, ts_event, partition_key AS symbol, decision.signal_id, decision.allowed FROM parsed
"""

_INTENTS: Final = """
WITH parsed AS (
    SELECT event_id, ts_event, partition_key, json_transform(payload,
        '{"order_id": "VARCHAR", "signal_id": "VARCHAR", "side": "VARCHAR"}') AS intent
    FROM events
)
SELECT event_id, ts_event, partition_key AS symbol, intent.order_id, intent.signal_id, intent.side FROM parsed
"""

_REPORTS: Final = """
WITH parsed AS (
    SELECT ts_event, event_id, correlation_id, partition_key AS symbol, unnest(json_transform(payload,
        '{"order_id": "VARCHAR", "signal_id": "VARCHAR", "fees": "DOUBLE", "slippage": "DOUBLE", "fills":
          [{"fill_id": "VARCHAR", "ts": "TIMESTAMPTZ", "qty": "DOUBLE", "price": "DOUBLE", "fee": "DOUBLE"}]}'))
    FROM events
), opened AS (
    SELECT * EXCLUDE (fills), unnest(CASE WHEN len(fills) > 0 THEN fills ELSE [NULL] END) AS fill
    FROM parsed
)
SELECT ts_event, event_id, correlation_id, symbol, order_id, signal_id, fees, slippage,
    fill.fill_id AS fill_id, fill.ts AS filled_at, fill.qty AS qty, fill.price AS price, fill.fee AS fee
FROM opened
"""

COLUMN_QUERIES: Final = (_SIGNALS, _BARS, _DECISIONS, _INTENTS, _REPORTS)
"""The SQL texts behind typed columns, for the manifest's ``query_hash``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EventColumns:
    """The typed events of some symbols, in no particular order.

    Attributes
    ----------
    signals : pa.Table
        event_id, ts_event, correlation_id, signal_id, symbol, direction (int8, +1, -1 or 0), confidence, model_id,
        strategy_id, feature_version, and a float64 column ``f_<name>`` per feature, null where not carried.
    bars : pa.Table
        event_id, ts_event, symbol, tf (lower case), session (date32), close.
    decisions, intents : pa.Table
        event_id, ts_event, symbol, signal_id, and ``allowed``; or ``order_id`` and ``side``.
    reports : pa.Table
        One row per fill (one with nulls for a report without fills): event_id, ts_event, correlation_id, symbol,
        order_id, signal_id, fees, slippage, fill_id, filled_at, qty, price, fee.
    """

    signals: pa.Table
    bars: pa.Table
    decisions: pa.Table
    intents: pa.Table
    reports: pa.Table


def event_columns(scans: Mapping[Topic, pa.Table], *, threads: int | None = None) -> EventColumns:
    """Parse one scan per topic."""
    return EventColumns(
        signals=signal_columns(scans[Topic.SIGNAL], threads=threads),
        bars=bar_columns(scans[Topic.BAR], threads=threads),
        decisions=decision_columns(scans[Topic.RISK], threads=threads),
        intents=intent_columns(scans[Topic.INTENT], threads=threads),
        reports=report_columns(scans[Topic.EXECUTION], threads=threads),
    )


def signal_columns(events: pa.Table, *, threads: int | None = None) -> pa.Table:
    """Return signals as typed columns, their features ordered by name."""
    parsed = _parse(events, sql=_SIGNALS, threads=threads)
    return _spread(parsed) if "features" in parsed.column_names else parsed


def bar_columns(events: pa.Table, *, threads: int | None = None) -> pa.Table:
    """Return market bars as typed columns."""
    return _parse(events, sql=_BARS, threads=threads)


def decision_columns(events: pa.Table, *, threads: int | None = None) -> pa.Table:
    """Return risk decisions as typed columns."""
    return _parse(events, sql=_DECISIONS, threads=threads)


def intent_columns(events: pa.Table, *, threads: int | None = None) -> pa.Table:
    """Return order intents as typed columns."""
    return _parse(events, sql=_INTENTS, threads=threads)


def report_columns(events: pa.Table, *, threads: int | None = None) -> pa.Table:
    """Return execution reports as typed columns, one row per fill."""
    return _parse(events, sql=_REPORTS, threads=threads)


def _parse(events: pa.Table, *, sql: str, threads: int | None) -> pa.Table:
    if "payload" not in events.column_names:
        return events
    with open_queries(threads=threads) as queries:
        return queries.run(sql, tables={"events": events})


def _spread(signals: pa.Table) -> pa.Table:
    """Turn the map of features into a column per name."""
    maps = signals["features"].combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(maps.cast(pa.list_(maps.type.field(0)))), 0)
    rows = np.repeat(np.arange(len(maps)), lengths.to_numpy(zero_copy_only=False))
    entries = maps.drop_null()
    keys = pa.concat_arrays([entries.keys]).dictionary_encode()
    codes, values = keys.indices.to_numpy(zero_copy_only=False), entries.items
    table = signals.drop_columns(["features"])
    for code, name in sorted(enumerate(keys.dictionary.to_pylist()), key=lambda item: item[1]):
        at = np.flatnonzero(codes == code)
        where = np.full(len(maps), -1, dtype=np.int64)
        where[rows[at]] = at
        table = table.append_column(FEATURE_PREFIX + name, values.take(pa.array(where, mask=where < 0)))
    return table
