import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.capture import EventRecorder, validate_event
from ordinis_learn.capture.adapter import AdaptingRecorder, adapter, read_event
from ordinis_learn.capture.adapter_legacy import LegacyFeed, adapt, restore
from ordinis_learn.errors import ConfigInvalid, EventInvalid, EventTopicUnknown
from ordinis_learn.records import Topic
from ordinis_learn.testing import InMemoryEventLog

FEED = LegacyFeed(naive_utc_sources=frozenset({"signalcore"}))
SIGNAL = {
    "symbol": "KO",
    "timestamp": "2024-01-02T21:00:00",
    "signal_type": "entry",
    "direction": "long",
    "probability": 0.7,
    "expected_return": 0.012,
    "confidence_interval": [-0.01, 0.03],
    "score": 0.4,
    "model_id": "momentum",
    "model_version": "1.2.0",
    "feature_contributions": {"rsi": 0.3},
    "regime": "bull",
    "data_quality": 1.0,
    "staleness_seconds": 0.0,
    "metadata": {"features": {"rsi_14": 55.0}, "note": "x"},
}
FILL = {
    "fill_id": "f-1",
    "order_id": "o-1",
    "symbol": "KO",
    "side": "BUY",
    "quantity": 10,
    "price": 59.8,
    "commission": 0.5,
    "timestamp": "2024-01-02T21:00:03+00:00",
    "slippage": 0.0002,
    "slippage_bps": 2.0,
    "multiplier": 1.0,
}


def raw(event_type="signal", payload=None, **fields):
    return {
        "event_id": "e-1",
        "event_type": event_type,
        "timestamp": "2024-01-02T21:00:01.250000",
        "symbol": "KO",
        "source": "signalcore",
        "payload": SIGNAL if payload is None else payload,
        "priority": 1,
        "trace_id": None,
        "metadata": {},
    } | fields


def test_a_signal_keeps_every_number_and_says_what_was_declared():
    event = adapt(raw(), feed=FEED)
    envelope = validate_event(event)
    assert envelope.event_type == Topic.SIGNAL
    assert envelope.payload["direction"] == "LONG"
    assert envelope.payload["confidence"] == 0.7
    assert envelope.payload["signal_id"] == "e-1"
    assert envelope.payload["metadata"]["features"] == {"rsi_14": 55.0}
    assert envelope.payload["metadata"]["legacy"]["score"] == 0.4
    assert envelope.ts_event.isoformat() == "2024-01-02T21:00:00+00:00"
    assert envelope.ts_ingest.isoformat() == "2024-01-02T21:00:01.250000+00:00"
    assert set(event["tags"]["declared"].split(",")) == {
        "correlation_id", "feature_version", "horizon", "signal_id", "strategy_id", "trace_id",
    }  # fmt: skip
    assert restore(event) == raw()


def test_what_an_event_carries_is_not_declared():
    told = {"horizon": "5d", "strategy_id": "s", "feature_version": "tech_v1", "correlation_id": "c"}
    event = adapt(raw(metadata=told, trace_id="t", payload=SIGNAL | {"signal_id": "s-9"}), feed=FEED)
    assert event["tags"]["declared"] == ""
    assert event["payload"]["horizon"] == "5d"
    assert event["payload"]["signal_id"] == "s-9"
    assert event["correlation_id"] == "c"


@pytest.mark.parametrize(
    ("kind", "direction", "ours"),
    [
        ("entry", "long", "LONG"),
        ("entry", "short", "SHORT"),
        ("exit", "long", "FLAT"),
        ("exit", "short", "FLAT"),
        ("exit", "neutral", "FLAT"),
        ("hold", "neutral", "FLAT"),
        ("entry", "neutral", None),
        ("hold", "long", None),
        ("scale", "long", None),
        ("scale", "neutral", None),
        ("entry", "LONG", None),
        ("entry", 1, None),
        (None, "long", None),
    ],
)
def test_table_of_directions(kind, direction, ours):
    event = raw(payload=SIGNAL | {"signal_type": kind, "direction": direction})
    if ours is None:
        with pytest.raises(EventInvalid):
            adapt(event, feed=FEED)
    else:
        assert adapt(event, feed=FEED)["payload"]["direction"] == ours


@pytest.mark.parametrize(
    ("event_type", "status"),
    [("fill", "partial_fill"), ("order_filled", "filled")],
)
def test_a_fill_becomes_an_execution_report(event_type, status):
    event = adapt(raw(event_type, FILL), feed=FEED)
    payload = validate_event(event).payload
    assert payload["status"] == status
    assert payload["order_id"] == "o-1"
    assert payload["fees"] == 0.5
    assert payload["slippage"] == 0.0002
    (fill,) = payload["fills"]
    assert fill == {
        "fill_id": "f-1", "ts": "2024-01-02T21:00:03+00:00", "qty": 10, "price": 59.8, "fee": 0.5,
    }  # fmt: skip
    assert restore(event) == raw(event_type, FILL)


def test_orders_become_intents_and_cancels():
    order = {
        "order_id": "o-1",
        "signal_id": "s-1",
        "symbol": "KO",
        "side": "SELL",
        "quantity": 3,
        "status": "CREATED",
    }
    for event_type in ("order", "order_submitted"):
        event = adapt(raw(event_type, order), feed=FEED)
        assert validate_event(event).payload == {
            "order_id": "o-1", "signal_id": "s-1", "symbol": "KO", "side": "sell", "qty": 3,
        }  # fmt: skip
        assert restore(event) == raw(event_type, order)
    cancelled = order | {"fills": [FILL | {"fill_id": None}]}
    event = adapt(raw("order_cancelled", cancelled), feed=FEED)
    assert validate_event(event).payload["status"] == "canceled"
    assert len(event["payload"]["fills"][0]["fill_id"]) == 64
    assert restore(event) == raw("order_cancelled", cancelled)


@pytest.mark.parametrize(
    "event",
    [
        raw(source="elsewhere"),  # its naive times are not known to be UTC
        raw(timestamp="2024-01-02"),
        raw(timestamp=1704229200),
        raw(timestamp=None),
        raw(symbol="PEP"),  # the payload says KO
        raw(symbol=None, payload=SIGNAL | {"symbol": None}),
        raw(symbol=["KO"], payload=SIGNAL | {"symbol": None}),
        raw(payload=SIGNAL | {"confidence": 0.6}),  # the probability is 0.7
        raw(payload=SIGNAL | {"probability": None}),
        raw(payload={}),
        raw(payload="long"),
        raw(source=None),
        raw(event_id=7),
        raw("fill", FILL | {"multiplier": 100}),
        raw("fill", FILL | {"commission": "0.5"}),
        raw("fill", FILL | {"timestamp": None}),
        raw("order_filled", {"order_id": "o-1", "filled_quantity": 3}),
        raw("order_filled", {"order_id": "o-1", "fills": []}),
        raw("order", {"order_id": "o", "signal_id": "s", "side": "FLAT", "quantity": 1}),
        raw("order", {"order_id": "o", "signal_id": "s", "side": "BUY"}),
    ],
)
def test_what_is_missing_or_could_mean_two_things_is_refused(event):
    with pytest.raises(EventInvalid):
        adapt(event, feed=FEED)


@pytest.mark.parametrize(
    "event_type", ["bar", "risk_check", "rebalance", "metric", "nonsense", "", None, 3, ["x"]]
)
def test_a_type_without_counterpart_is_unknown(event_type):
    with pytest.raises(EventTopicUnknown):
        adapt(raw(event_type), feed=FEED)


def test_times_with_an_offset_are_read_whatever_the_source():
    event = adapt(
        raw(
            source="x",
            timestamp="2024-01-02T16:00:01-05:00",
            payload=SIGNAL | {"timestamp": "2024-01-02T21:00:00Z"},
        ),
        feed=LegacyFeed(),
    )
    assert event["ts_ingest"] == "2024-01-02T21:00:01+00:00"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
extras = st.dictionaries(st.text(min_size=1, max_size=12), json_values, max_size=4)


@st.composite
def legacy_events(draw):
    event_type, payload = draw(
        st.sampled_from(
            [
                ("signal", SIGNAL),
                ("signal", SIGNAL | {"probability": None, "confidence": 0.55}),
                ("fill", FILL),
                (
                    "order_filled",
                    {"order_id": "o", "symbol": "KO", "fills": [FILL, FILL | {"fill_id": None}]},
                ),
                ("order_cancelled", {"order_id": "o", "symbol": "KO"}),
                ("order", {"order_id": "o", "signal_id": "s", "side": "BUY", "quantity": 2}),
            ]
        )
    )
    event = raw(event_type, draw(extras) | payload) | {
        "trace_id": draw(st.none() | st.text(max_size=8)),
        "metadata": draw(extras),
        "priority": draw(st.integers(0, 3)),
    }
    event = draw(extras) | event
    for name in draw(st.sets(st.sampled_from(["event_id", "trace_id", "priority", "metadata"]))):
        del event[name]
    return event


def same(left, right):
    """Equal in value and in kind: 1, 1.0 and True are three things."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


@given(legacy_events())
def test_nothing_is_lost_or_it_is_refused(event):
    try:
        adapted = adapt(event, feed=FEED)
        stored = validate_event(adapted)
    except EventInvalid:
        return
    assert same(restore(adapted), event)
    assert same(restore(json.loads(stored.model_dump_json())), event)


@given(legacy_events(), st.randoms())
def test_the_event_id_depends_on_the_values_alone(event, random):
    try:
        first = adapt(event, feed=FEED)
    except EventInvalid:
        return
    names = list(event)
    random.shuffle(names)
    assert adapt({name: event[name] for name in names}, feed=FEED)["event_id"] == first["event_id"]


def test_importing_again_stores_nothing_twice_and_bad_events_are_kept_as_they_came(clock):
    log = InMemoryEventLog(clock=clock)
    recorder = AdaptingRecorder(EventRecorder(log), log, adapt=adapter("ordinis-legacy", feed=FEED))
    without_id = raw("fill", FILL)
    del without_id["event_id"]
    lines = [
        json.dumps(raw()).encode(),
        json.dumps(without_id),
        json.dumps(raw("heartbeat")).encode(),
        b'{"event_type": "signal", "event_type": "fill"}',
        b"[1]",
        b"\xff",
        json.dumps(raw("fill", FILL | {"price": -1})).encode(),  # adapted, then refused by the schema
    ]
    receipt = recorder.record_events(lines)
    assert (receipt.accepted, receipt.duplicates, receipt.quarantined) == (2, 0, 5)
    assert receipt.reasons == {"E_EVT_TOPIC_UNKNOWN": 1, "E_EVT_SCHEMA_INVALID": 4}
    assert {entry["raw"] for entry in log.quarantined()} == {*lines[2:]}
    again = recorder.record_events(lines)
    assert (again.accepted, again.duplicates, again.quarantined) == (0, 2, 5)
    assert log.counts() == {Topic.SIGNAL: 1, Topic.EXECUTION: 1}


def test_switched_off_nothing_is_read(clock):
    log = InMemoryEventLog(clock=clock)
    recorder = AdaptingRecorder(
        EventRecorder(log, enabled=False), log, adapt=adapter("ordinis-legacy", feed=FEED), enabled=False
    )
    assert recorder.record_events([b"{", json.dumps(raw())]).ignored == 2
    assert log.quarantined() == []


def test_an_unknown_adapter_is_named():
    with pytest.raises(ConfigInvalid, match="ordinis-legacy"):
        adapter("ordinis-future", feed=FEED)


def test_a_mapping_is_read_as_it_is():
    assert read_event({"a": 1}) == {"a": 1}
