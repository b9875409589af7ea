"""The quick path says what the record models say, or nothing."""

import json
import math

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ordinis_learn.capture import MAX_PAYLOAD_BYTES, validate_event
from ordinis_learn.capture._msgspec import _PAYLOADS, quick_row
from ordinis_learn.capture.rows import row_of
from ordinis_learn.capture.validation import validate_row
from ordinis_learn.errors import EventInvalid
from ordinis_learn.records import PAYLOADS, Topic

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(
        [
            [],
            {},
            "5d\n",
            "RISK.A.B\n",
            "0.5",
            1.0,
            -0.0,
            1e-320,
            "x" * 256,
            "é" * 257,
            "\x00",
            "\x7f\x1f",
            "2024-01-02T21:00:00",
            "2024-01-02T21:00:00.1234569Z",
            "2024-01-02T21:00:00,5Z",
            "2024-W01-2T21:00:00Z",
            "2024-01-02T23:59:60Z",
            "2024-02-30T00:00:00Z",
            "0001-01-01T00:00:00+05:00",
            "9999-12-31T23:59:59-01:00",
            "1704229200",
            "2.0.0",
            "1.1.0",
            "1.0.0\n",
            "01.0.0",
            "ordinis.nobody.knows",
        ]
    ),
)


def places(value, path=()):
    """Every place in a JSON value, as the keys that lead there."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


@st.composite
def mutated(draw, events):
    """A good event with up to three places removed, replaced or joined by an unknown neighbour."""
    event = json.loads(json.dumps(draw(events())))
    for _ in range(draw(st.integers(0, 3))):
        *way, key = draw(st.sampled_from([place for place in places(event) if place]))
        parent = event
        for step in way:
            parent = parent[step]
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "replace":
                parent[key] = draw(ODD)
            case "remove":
                del parent[key]
            case "add" if isinstance(parent, dict):
                parent[draw(st.text(max_size=4))] = draw(ODD)
            case "add":
                parent.append(draw(ODD))
    return event


@st.composite
def texts(draw, events):
    """A mutated event in one of the ways in which JSON can be written, at times with a key said twice."""
    event = draw(mutated(events))
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
    text = json.dumps(event, separators=separators, ensure_ascii=draw(st.booleans()))
    if draw(st.booleans()) and text.startswith("{") and len(text) > 2:
        key = draw(st.sampled_from([*event, "payload"]))
        odd = json.dumps(draw(ODD | st.just(event.get("payload"))))
        text = (
            f"{{{json.dumps(key)}:{odd},{text[1:]}"
            if draw(st.booleans())
            else f"{text[:-1]},{json.dumps(key)}:{odd}}}"
        )
    if draw(st.integers(0, 9)) == 0:
        text = text[: draw(st.integers(0, len(text)))] + draw(
            st.sampled_from(["", " ", "}", "\ufeff", "\\ud800"])
        )
    return draw(st.sampled_from([str, lambda found: found.encode("utf-8", "surrogatepass")]))(text)


def slow(raw):
    try:
        return row_of(validate_event(raw))
    except EventInvalid as error:
        return error


def agrees(raw):
    found, expected = quick_row(raw, max_payload_bytes=MAX_PAYLOAD_BYTES), slow(raw)
    assert found is None or found == expected
    try:
        row = validate_row(raw)
    except EventInvalid as error:
        row = error
    if isinstance(expected, EventInvalid):
        assert (type(row), str(row)) == (type(expected), str(expected))
    else:
        assert row == expected
    return found, expected


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_it_accepts_only_what_the_record_model_accepts_and_stores_the_same_bytes(events, data):
    agrees(data.draw(texts(events)))


@pytest.mark.slow
@settings(max_examples=2_500, deadline=None)
@given(data=st.data())
def test_it_accepts_only_what_the_record_model_accepts_at_length(events, data):
    agrees(data.draw(texts(events)))


@pytest.mark.parametrize("topic", Topic)
def test_every_type_has_a_struct_with_the_fields_of_its_record(topic):
    struct = _PAYLOADS[topic.value].type
    assert set(struct.__struct_fields__) == set(PAYLOADS[topic].model_fields)
    required = {name for name, field in PAYLOADS[topic].model_fields.items() if field.is_required()}
    assert {field.name for field in msgspec.structs.fields(struct) if field.required} == required


def test_plain_events_take_the_quick_path(bar, signal):
    for event in (bar(), signal(), signal(metadata={"features": {"z": 1, 'é"\\': -0.0}, "note": [None]})):
        found, expected = agrees(json.dumps(event))
        assert found == expected
        assert found is not None


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400])
def test_no_number_that_is_not_finite(bar, value):
    found, expected = agrees(json.dumps(bar(payload={"close": value})))
    assert found is None
    assert isinstance(expected, EventInvalid)


def test_the_limit_is_on_the_payload_as_it_is_stored(signal):
    def of(size):
        return json.dumps(signal(metadata={"note": "é" * (size // 2)}), ensure_ascii=False)

    empty = len(slow(of(0)).payload.encode())
    found, expected = agrees(of(MAX_PAYLOAD_BYTES - empty - 1))
    assert found == expected
    found, expected = agrees(of(MAX_PAYLOAD_BYTES - empty + 2))
    assert found is None
    assert expected.code == "E_EVT_TOO_LARGE"


@given(st.binary(max_size=40) | st.text(max_size=40))
@example(b"[" * 5000)
@example('{"payload":' + "[" * 5000)
@example("\ud800")
def test_anything_at_all_is_decided_by_the_record_model(raw):
    found, expected = agrees(raw)
    assert found is None
    assert isinstance(expected, EventInvalid)
