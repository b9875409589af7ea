from datetime import UTC, datetime, timedelta

import pytest

MOMENT = "2024-01-02T21:00:00Z"
TAGS = {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"}


@pytest.fixture
def bar():
    """Make a bar event, with fields of the envelope and of the payload replaced."""

    def make(event_id="bar-1", *, payload=None, **fields):
        body = {"symbol": "KO", "tf": "1d", "ts": MOMENT, "session": "2024-01-02", "close": 59.8}
        return {
            "event_id": event_id,
            "event_type": "ordinis.market.bar.closed",
            "schema_version": "1.0.0",
            "ts_event": MOMENT,
            "ts_ingest": MOMENT,
            "source": "test",
            "correlation_id": "c-1",
            "partition_key": "KO",
            "payload": body | (payload or {}),
            "tags": dict(TAGS),
        } | fields

    return make


@pytest.fixture
def signal(bar):
    """Make a signal event with one feature, with fields of the payload replaced."""

    def make(event_id="signal-1", **payload):
        body = {
            "signal_id": "s-1",
            "symbol": "KO",
            "direction": "LONG",
            "confidence": 0.5,
            "horizon": "5d",
            "model_id": "rule_v1",
            "strategy_id": "test",
            "feature_version": "close_v1",
            "metadata": {"features": {"z_20": 0.25}},
        }
        event = bar(event_id, event_type="ordinis.signals.generated")
        return event | {"payload": body | payload}

    return make


@pytest.fixture
def clock():
    """A clock that moves one second at each look."""
    now = datetime(2024, 1, 3, tzinfo=UTC)

    def tick():
        nonlocal now
        now += timedelta(seconds=1)
        return now

    return tick
