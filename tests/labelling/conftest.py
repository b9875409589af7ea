"""Scans of an event log, written by hand."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from ordinis_learn.labelling import bar_columns, first_bars, price_grid, session_table
from ordinis_learn.testing import daily_calendar

SCHEMA = pa.schema(
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
FIRST = date(2001, 1, 1)


def close_of(day: int) -> datetime:
    """Return the close of the n-th day, 21:00 UTC."""
    return datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), tzinfo=UTC) + timedelta(
        hours=21
    )


class Scans:
    """Collects events and gives each topic as :meth:`EventLog.scan` would."""

    def __init__(self):
        self.rows = {"signals": [], "bars": [], "risk": [], "intents": [], "executions": []}

    def add(self, topic, payload, *, at, key="X", cycle="c", event_id=None):
        number = sum(map(len, self.rows.values())) + 1
        row = {
            "position": number,
            "event_id": event_id or f"{topic}-{number:05d}",
            "ts_event": at,
            "ts_ingest": at,
            "partition_key": key,
            "correlation_id": cycle,
            "payload": json.dumps(payload),
        }
        self.rows[topic].append(row)

    def bar(self, day, close, *, symbol="X", at=None, tf="1d", event_id=None, **more):
        session = (FIRST + timedelta(days=day)).isoformat()
        payload = {"symbol": symbol, "tf": tf, "session": session, "close": close, **more}
        self.add("bars", payload, at=at or close_of(day), key=symbol, event_id=event_id)

    def signal(self, signal_id, day, *, symbol="X", direction="LONG", at=None, cycle="c", features=None):
        payload = {
            "signal_id": signal_id,
            "symbol": symbol,
            "direction": direction,
            "confidence": 0.5,
            "model_id": "m",
            "strategy_id": "s",
            "feature_version": "v1",
            "metadata": {} if features is None else {"features": features},
        }
        self.add("signals", payload, at=at or close_of(day), key=symbol, cycle=cycle)

    def decision(self, signal_id, *, at, allowed=True, symbol="X"):
        self.add("risk", {"signal_id": signal_id, "allowed": allowed}, at=at, key=symbol)

    def intent(self, order_id, signal_id, *, at, symbol="X", **more):
        self.add("intents", {"order_id": order_id, "signal_id": signal_id, **more}, at=at, key=symbol)

    def report(self, order_id, *, at, fills=(), symbol="X", cycle="c", status="filled", **more):
        payload = {"order_id": order_id, "status": status, "fills": list(fills), **more}
        self.add("executions", payload, at=at, key=symbol, cycle=cycle)

    def table(self, topic):
        rows = sorted(self.rows[topic], key=lambda row: (row["ts_event"], row["event_id"]))
        return pa.Table.from_pylist(rows, schema=SCHEMA)


CALENDAR = daily_calendar(FIRST - timedelta(days=30), days=430)


@pytest.fixture(scope="session")
def calendar():
    return CALENDAR


@pytest.fixture(scope="session")
def grid_of():
    """Lay the bars of scans out over the daily calendar."""

    def lay_out(scans, *, calendar=CALENDAR):
        prices = first_bars(bar_columns(scans.table("bars")), calendar=calendar)
        return price_grid(prices, sessions=session_table(prices, calendar=calendar))

    return lay_out


@pytest.fixture
def scans():
    return Scans()


@pytest.fixture(scope="session")
def new_scans():
    """The class itself, for properties that build many."""
    return Scans


@pytest.fixture(scope="session")
def close():
    return close_of
