"""Payloads as columns: DuckDB's reading of the text is the record model's."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ordinis_learn.capture import PAYLOAD_COLUMNS, SCAN_SCHEMA, bucket_of, validate_event
from ordinis_learn.capture.payload_columns import columns_by_record, typed_columns
from ordinis_learn.errors import ConfigInvalid, DataCorrupt, EventInvalid
from ordinis_learn.records import PAYLOADS, Topic
from ordinis_learn.testing import InMemoryEventLog


def scanned(*payloads):
    """Rows as a scan returns them, with these payloads."""
    moment = datetime(2024, 1, 2, 21, tzinfo=UTC)
    rows = [
        {
            "position": number,
            "event_id": f"e-{number}",
            "ts_event": moment,
            "ts_ingest": moment,
            "partition_key": "KO",
            "correlation_id": "c",
            "payload": payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":")),
        }
        for number, payload in enumerate(payloads)
    ]
    return pa.Table.from_pylist(rows, schema=SCAN_SCHEMA)


@pytest.mark.parametrize("topic", Topic)
def test_every_plain_field_of_the_record_has_a_column(topic):
    schema = PAYLOAD_COLUMNS[topic]
    envelope = [name for name in SCAN_SCHEMA.names if name != "payload"]
    assert schema.names[: len(envelope)] == envelope
    assert len(set(schema.names)) == len(schema.names)
    nested = {
        name for name, field in PAYLOADS[topic].model_fields.items() if "dict" in str(field.annotation)
    } - {"features"}
    beyond = {Topic.SIGNAL: {"features"}, Topic.EXECUTION: {"signal_id"}}.get(topic, set())
    assert set(schema.names[len(envelope) :]) - beyond == set(PAYLOADS[topic].model_fields) - nested


# Between them these have every kind of column: maps, fills, lists, dates, times, booleans, integers.
TOPICS_OF_EVERY_KIND = {Topic.SIGNAL, Topic.EXECUTION, Topic.RISK, Topic.BAR}


@pytest.mark.parametrize(
    "topic",
    [pytest.param(topic, marks=() if topic in TOPICS_OF_EVERY_KIND else pytest.mark.slow) for topic in Topic],
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_columns_are_what_the_record_model_reads(events, topic, data):
    drawn = data.draw(st.lists(events(topic), max_size=4))
    accepted = []
    for event in drawn:
        try:
            accepted.append(validate_event(event).payload_json)
        except EventInvalid:
            continue
    table = scanned(*accepted)
    read = typed_columns(topic, table)
    assert read.schema.equals(PAYLOAD_COLUMNS[topic])
    assert read.to_pylist() == columns_by_record(topic, table).to_pylist()


def bar(**fields):
    moment = "2024-01-02T21:00:00Z"
    return {"symbol": "KO", "tf": "1d", "ts": moment, "session": "2024-01-02", "close": 1.5} | fields


def test_times_in_unusual_spellings_are_read_by_the_record_model():
    table = scanned(bar(), bar(ts="2024-01-02T21:00:00.1234567+0530"), bar(ts="1704229200"))
    read = typed_columns(Topic.BAR, table)
    assert read["ts"].null_count == read["session"].null_count == 0
    assert read.to_pylist() == columns_by_record(Topic.BAR, table).to_pylist()
    assert read["position"].to_pylist() == [0, 1, 2]


def test_a_field_of_a_newer_minor_does_not_disturb():
    table = scanned(bar(shard=7, Symbol="PEP", TS="never"), bar(close=2))
    assert typed_columns(Topic.BAR, table)["symbol"].to_pylist() == ["KO", "KO"]
    assert typed_columns(Topic.BAR, table)["close"].to_pylist() == [1.5, 2.0]


def test_an_execution_report_that_carries_its_signal():
    table = scanned(
        {"order_id": "o", "status": "filled"},
        {"order_id": "o", "status": "filled", "signal_id": "s-1"},
        {"order_id": "o", "status": "filled", "signal_id": 7},
    )
    assert typed_columns(Topic.EXECUTION, table)["signal_id"].to_pylist() == [None, "s-1", "7"]
    assert columns_by_record(Topic.EXECUTION, table)["signal_id"].to_pylist() == [None, "s-1", "7"]


def test_a_payload_that_is_no_json_any_more_is_reported():
    with pytest.raises(DataCorrupt):
        typed_columns(Topic.BAR, scanned('{"symbol":'))
    with pytest.raises(DataCorrupt):
        typed_columns(Topic.BAR, scanned(bar(ts="long ago")))


@pytest.mark.parametrize("bucket", [(-1, 2), (2, 2), (0, 0)])
def test_a_bucket_that_does_not_exist_is_refused(bucket):
    log = InMemoryEventLog(clock=lambda: datetime(2024, 1, 1, tzinfo=UTC))
    with pytest.raises(ConfigInvalid):
        log.read_columns(Topic.BAR, bucket=bucket)


@given(st.text(), st.integers(1, 64), st.integers(1, 8))
def test_a_finer_bucket_lies_within_a_coarser_one(key, buckets, times):
    assert bucket_of(key, buckets=buckets * times) % buckets == bucket_of(key, buckets=buckets)


def test_buckets_part_the_events(bar):
    log = InMemoryEventLog(clock=lambda: datetime(2024, 1, 1, tzinfo=UTC))
    log.append([validate_event(bar(f"bar-{n}", partition_key=f"SYM{n % 9}")) for n in range(50)])
    parts = [log.read_columns(Topic.BAR, bucket=(n, 4)) for n in range(4)]
    together = pa.concat_tables(parts)
    assert sorted(together["event_id"].to_pylist()) == sorted(log.scan(Topic.BAR)["event_id"].to_pylist())
    for number, part in enumerate(parts):
        assert {bucket_of(key, buckets=4) for key in pc.unique(part["partition_key"]).to_pylist()} <= {number}
