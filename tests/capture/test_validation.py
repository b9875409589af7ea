import json
import math
from datetime import UTC, date, datetime
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.capture import MAX_PAYLOAD_BYTES, validate_event
from ordinis_learn.errors import (
    EventInvalid,
    EventTagsMissing,
    EventTooLarge,
    EventTopicUnknown,
    EventVersionUnsupported,
)
from ordinis_learn.records import PAYLOADS, Topic

NAN = math.nan


def refusal(event):
    with pytest.raises(EventInvalid) as caught:
        validate_event(event)
    return caught.value


@pytest.mark.parametrize(
    "form", [dict, MappingProxyType, json.dumps, lambda event: json.dumps(event).encode()]
)
def test_every_form_of_a_good_event_is_the_same_envelope(bar, form):
    envelope = validate_event(form(bar()))
    assert envelope == validate_event(bar())
    assert envelope.ts_event == datetime(2024, 1, 2, 21, tzinfo=UTC)
    assert json.loads(envelope.payload_json) == bar()["payload"]


def test_the_stored_text_is_compact_and_keeps_every_float(bar):
    close = 0.1 + 0.2
    text = validate_event(bar(payload={"close": close})).payload_json
    assert " " not in text
    assert json.loads(text)["close"] == close


def test_python_values_with_a_json_form_are_accepted(bar):
    moment = datetime(2024, 1, 2, 21, tzinfo=UTC)
    event = bar(ts_event=moment, payload={"session": date(2024, 1, 2), "ts": moment})
    assert validate_event(event) == validate_event(bar())


def test_changing_the_event_afterwards_does_not_change_the_envelope(signal):
    event = signal()
    envelope = validate_event(event)
    event["payload"]["metadata"]["features"]["z_20"] = 99.0
    assert envelope.payload["metadata"]["features"]["z_20"] == 0.25


@pytest.mark.parametrize(
    ("event", "field", "found"),
    [
        ({}, "", "the event is empty"),
        (b"{}", "", "the event is empty"),
        (b"", "", "EOF"),
        (b'{"event_id": ', "", "EOF"),
        (b"[]", "", "should be an object"),
        (b"\xff\xfe", "", "Invalid JSON"),
        ("\ud800", "", "unicode"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "", "recursion"),
        (None, "", "NoneType"),
        ([], "", "list"),
    ],
)
def test_what_is_no_event_is_refused(event, field, found):
    error = refusal(event)
    assert type(error) is EventInvalid
    assert error.data["field"] == field
    assert found in error.found


@pytest.mark.parametrize(
    ("change", "field", "found"),
    [
        ({"ts_event": "2024-01-02T21:00:00"}, "ts_event", "timezone"),
        ({"ts_event": datetime(2024, 1, 2, 21)}, "ts_event", "timezone"),  # noqa: DTZ001
        ({"ts_event": 1704229200}, "ts_event", "valid datetime"),
        ({"event_id": ""}, "event_id", "at least 1 character"),
        ({"event_id": 7}, "event_id", "valid string"),
        ({"schema_version": "1.x"}, "schema_version", "pattern"),
        ({"colour": "red"}, "colour", "not a field"),
        ({"tags": None}, "tags", "object"),
        ({"payload": "close"}, "payload", "object"),
        ({"payload": object()}, "", "cannot be written as JSON"),
        ({"partition_key": "\ud800"}, "", "cannot be written as JSON"),
    ],
)
def test_a_bad_envelope_is_refused_by_field(bar, change, field, found):
    error = refusal(bar() | change)
    assert type(error) is EventInvalid
    assert error.data["field"] == field
    assert found in error.found
    assert "ordinis.market.bar.closed" in error.asked


@pytest.mark.parametrize(
    ("change", "field", "found"),
    [
        ({"close": NAN}, "payload.close", "nan"),
        ({"close": -math.inf}, "payload.close", "-inf"),
        ({"close": "59.8"}, "payload.close", "valid number"),
        ({"close": 0.0}, "payload.close", "greater than 0"),
        ({"close": None}, "payload.close", "valid number"),
        ({"ts": "2024-01-02T21:00:00"}, "payload.ts", "timezone"),
        ({"session": "yesterday"}, "payload.session", "date"),
        ({"colour": "red"}, "payload.colour", "not a field"),
    ],
)
def test_a_bad_bar_is_refused_by_field(bar, change, field, found):
    error = refusal(bar(payload=change))
    assert type(error) is EventInvalid
    assert error.data["field"] == field
    assert found in error.found
    assert field in error.next_step


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"confidence": 1.5}, "payload.confidence"),
        ({"direction": "UP"}, "payload.direction"),
        ({"horizon": "soon"}, "payload.horizon"),
        ({"metadata": {"features": {"z_20": NAN}}}, "payload.metadata.features.z_20"),
        ({"metadata": {"features": {"z_20": None}}}, "payload.metadata"),
        ({"metadata": {"features": {"z_20": True}}}, "payload.metadata"),
        ({"metadata": {"features": [1.0]}}, "payload.metadata"),
        ({"metadata": {"notes": [1.0, [math.inf]]}}, "payload.metadata.notes.1.0"),
    ],
)
def test_a_bad_signal_is_refused_by_field(signal, change, field):
    error = refusal(signal(**change))
    assert error.code == "E_EVT_SCHEMA_INVALID"
    assert error.data["field"] == field


def test_text_that_reads_like_nan_is_no_nan(signal):
    event = signal(metadata={"features": {}, "note": "NaN, or Infinity"})
    assert "NaN, or Infinity" in validate_event(event).payload_json


def test_several_problems_are_counted(bar):
    error = refusal(bar() | {"payload": {}})
    assert error.found == "payload.symbol is missing (and 4 more)"


def test_an_unknown_topic_names_the_known_ones(bar):
    error = refusal(bar(event_type="ordinis.moon.phase"))
    assert isinstance(error, EventTopicUnknown)
    assert all(topic in error.next_step for topic in Topic)


@pytest.mark.parametrize("version", ["2.0.0", "0.9.0", "10.1.0"])
@pytest.mark.parametrize("extra", [{}, {"new_field": 1}])
def test_another_major_version_is_refused(bar, version, extra):
    error = refusal(bar(schema_version=version) | extra)
    assert isinstance(error, EventVersionUnsupported)
    assert version in error.found


def test_a_newer_minor_keeps_what_it_adds(bar):
    event = bar(schema_version="1.4.0", payload={"vwap": 59.7}) | {"shard": 3}
    envelope = validate_event(event)
    assert json.loads(envelope.payload_json)["vwap"] == 59.7
    assert json.loads(envelope.model_dump_json())["shard"] == 3


@pytest.mark.parametrize("version", ["1.0.0", "1.0.7"])
def test_the_same_minor_adds_nothing(bar, version):
    assert refusal(bar(schema_version=version, payload={"vwap": 59.7})).data["field"] == "payload.vwap"
    assert refusal(bar(schema_version=version) | {"shard": 3}).data["field"] == "shard"


def test_a_newer_minor_may_not_break_what_we_know(bar):
    event = bar(schema_version="1.4.0", payload={"vwap": 59.7, "close": -1.0})
    assert refusal(event).data["field"] in {"payload.close", "payload.vwap"}
    assert (
        refusal(bar(schema_version="1.4.0", ts_event="2024-01-02") | {"shard": 3}).data["field"] == "ts_event"
    )


@pytest.mark.parametrize("missing", ["instrument_type", "venue", "jurisdiction", "env"])
def test_each_required_tag_is_required(bar, missing):
    tags = {name: value for name, value in bar()["tags"].items() if name != missing}
    error = refusal(bar(tags=tags))
    assert isinstance(error, EventTagsMissing)
    assert error.data["missing"] == [missing]


def test_an_event_without_tags_lacks_all_of_them(bar):
    event = bar()
    del event["tags"]
    assert len(refusal(event).data["missing"]) == 4


def test_the_limit_of_the_payload_is_in_bytes_of_utf_8(signal):
    def padded(text):
        return signal(metadata={"note": text})

    room = MAX_PAYLOAD_BYTES - len(validate_event(padded("")).payload_json)
    assert len(validate_event(padded("x" * room)).payload_json) == MAX_PAYLOAD_BYTES
    assert isinstance(refusal(padded("x" * (room + 1))), EventTooLarge)
    assert isinstance(refusal(padded("é" * (room // 2 + 1))), EventTooLarge)


def test_every_topic_has_a_schema():
    assert set(PAYLOADS) == set(Topic)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def holds_nan(value):
    if isinstance(value, dict):
        return any(map(holds_nan, value.values()))
    if isinstance(value, list):
        return any(map(holds_nan, value))
    return isinstance(value, float) and not math.isfinite(value)


def make_event(metadata):
    moment = "2024-01-02T21:00:00Z"
    return {
        "event_id": "1",
        "event_type": "ordinis.signals.generated",
        "ts_event": moment,
        "ts_ingest": moment,
        "source": "test",
        "correlation_id": "1",
        "partition_key": "KO",
        "payload": {
            "signal_id": "s",
            "symbol": "KO",
            "direction": "FLAT",
            "confidence": 0.0,
            "horizon": "1d",
            "model_id": "m",
            "strategy_id": "s",
            "feature_version": "f",
            "metadata": metadata,
        },
        "tags": {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"},
    }


@given(note=json_values)
def test_metadata_is_stored_as_it_came_unless_it_holds_nan(note):
    event = make_event({"note": note})
    if holds_nan(note):
        assert refusal(event).data["field"].startswith("payload.metadata.note")
    else:
        assert json.loads(validate_event(event).payload_json)["metadata"]["note"] == note


@given(features=st.dictionaries(st.text(max_size=8), st.floats() | st.integers(), max_size=4))
def test_features_are_finite_or_refused(features):
    event = make_event({"features": features})
    if holds_nan(features):
        assert "not a finite number" in refusal(event).found
    else:
        assert json.loads(validate_event(event).payload_json)["metadata"]["features"] == features


@given(raw=st.binary(max_size=60) | st.text(max_size=60))
def test_noise_is_refused_and_nothing_else_happens(raw):
    assert refusal(raw).code == "E_EVT_SCHEMA_INVALID"


def test_a_moment_outside_the_calendar_is_a_bad_event(bar):
    with pytest.raises(EventInvalid):
        validate_event(bar(ts_event="0001-01-01T00:00:00+05:00"))
    with pytest.raises(EventInvalid):
        validate_event(bar(payload={"ts": "9999-12-31T23:59:59-01:00"}))
