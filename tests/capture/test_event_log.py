"""What every event log promises; the file and the fake keep the same promises."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.capture import SCAN_SCHEMA, SqliteEventLog, validate_event
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.ports import Tally
from ordinis_learn.records import Envelope, Topic
from ordinis_learn.testing import InMemoryEventLog


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def log(request, tmp_path, open_log):
    return open_log(request.param, tmp_path)


@pytest.fixture
def bars(bar):
    """Make validated bars, a day apart."""

    def make(*numbers):
        first = datetime(2024, 1, 2, 21, tzinfo=UTC)
        return [
            validate_event(
                bar(
                    f"bar-{number:03d}",
                    ts_event=first + timedelta(days=number),
                    payload={"close": 1.0 + number},
                )
            )
            for number in numbers
        ]

    return make


def ids(table: pa.Table) -> list[str]:
    return table["event_id"].to_pylist()


def test_an_empty_log(log):
    assert log.position() == 0
    assert dict(log.counts()) == {}
    assert list(log.quarantined()) == []
    assert log.append([]) == 0
    table = log.scan(Topic.BAR)
    assert table.num_rows == 0
    assert table.schema == SCAN_SCHEMA


def test_a_tally_counts_on_from_an_earlier_one(log, bars):
    assert log.tally() == Tally(0, 0, {})
    log.append(bars(1, 2))
    first = log.tally()
    log.append(bars(2, 3))
    assert log.tally(first) == log.tally() == Tally(log.position(), 0, {Topic.BAR: 3})
    assert log.tally(log.tally()).counts == {Topic.BAR: 3}


def test_the_newest_envelopes_of_a_span(log, bars):
    events = [event.model_copy(update={"trace_id": event.event_id}) for event in bars(4, 1, 3, 2)]
    log.append(events)
    found = [json.loads(text)["trace_id"] for text in log.envelopes(Topic.BAR, limit=3)]
    assert found == ["bar-002", "bar-003", "bar-004"]
    span = {"start": events[1].ts_event, "end": events[2].ts_event}
    assert len(log.envelopes(Topic.BAR, limit=9, **span)) == 2
    assert log.envelopes(Topic.SIGNAL, limit=9) == []


def test_quarantine_counts_by_code(log):
    for raw, code in ((b"1", "E_A"), (b"2", "E_A"), (b"2", "E_A"), (b"3", "E_B")):
        log.quarantine(raw, code=code, reason="bad")
    assert log.quarantine_counts() == {"E_A": 2, "E_B": 1}


def test_a_scan_gives_back_what_was_appended(log, bars):
    (event,) = bars(3)
    assert log.append([event]) == 1
    table = log.scan(Topic.BAR)
    assert table.schema == SCAN_SCHEMA
    assert table.to_pylist() == [
        {
            "position": log.position(),
            "event_id": event.event_id,
            "ts_event": event.ts_event,
            "ts_ingest": event.ts_ingest,
            "partition_key": "KO",
            "correlation_id": "c-1",
            "payload": event.payload_json,
        }
    ]


def test_microseconds_and_years_before_1970_survive(log, bar):
    moments = [
        datetime(1960, 2, 29, 1, 2, 3, 456789, tzinfo=UTC),
        datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ]
    log.append([validate_event(bar(f"bar-{n}", ts_event=moment)) for n, moment in enumerate(moments)])
    assert log.scan(Topic.BAR)["ts_event"].to_pylist() == moments


def test_an_event_seen_before_is_skipped_whatever_it_says(log, bar):
    first = validate_event(bar("same", payload={"close": 1.0}))
    again = validate_event(bar("same", payload={"close": 2.0}))
    assert log.append([first, again]) == 1
    assert log.append([again]) == 0
    assert log.scan(Topic.BAR)["payload"].to_pylist() == [first.payload_json]


def test_a_batch_counts_only_what_is_new(log, bars):
    assert log.append(bars(1, 2)) == 2
    assert log.append(bars(1, 2, 3, 3)) == 1


def test_scans_are_ordered_by_time_then_id(log, bar, bars):
    same_time = [validate_event(bar(name, ts_event=bars(2)[0].ts_event)) for name in ("b", "a")]
    log.append([*bars(5, 1, 3), *same_time])
    assert ids(log.scan(Topic.BAR)) == ["bar-001", "a", "b", "bar-003", "bar-005"]


def test_the_start_is_inside_and_the_end_is_outside(log, bars):
    events = bars(1, 2, 3, 4)
    log.append(events)
    inside = log.scan(Topic.BAR, start=events[1].ts_event, end=events[3].ts_event)
    assert ids(inside) == ["bar-002", "bar-003"]


@pytest.mark.parametrize("bound", ["start", "end"])
def test_a_naive_bound_is_refused(log, bound):
    with pytest.raises(ConfigInvalid):
        log.scan(Topic.BAR, **{bound: datetime(2024, 1, 2)})  # noqa: DTZ001


def test_a_position_pins_what_was_known(log, bars):
    log.append(bars(1, 5))
    position = log.position()
    log.append(bars(2))
    assert log.position() > position
    assert ids(log.scan(Topic.BAR, until_position=position)) == ["bar-001", "bar-005"]
    assert log.scan(Topic.BAR, until_position=0).num_rows == 0


def test_whoever_follows_a_log_reads_what_came_after_a_position(log, bars):
    log.append(bars(5, 1))
    seen = log.position()
    log.append(bars(3, 2))
    for read in (log.scan, log.read_columns):
        assert ids(read(Topic.BAR, after_position=seen)) == ["bar-002", "bar-003"]
        assert ids(read(Topic.BAR, after_position=seen, until_position=seen + 1)) == ["bar-003"]
        assert ids(read(Topic.BAR, after_position=0)) == ["bar-001", "bar-002", "bar-003", "bar-005"]
        assert read(Topic.BAR, after_position=log.position()).num_rows == 0
        assert read(Topic.SIGNAL, after_position=0).num_rows == 0


def test_topics_are_kept_apart(log, bars, signal):
    log.append([*bars(1, 2), validate_event(signal())])
    assert dict(log.counts()) == {"ordinis.market.bar.closed": 2, "ordinis.signals.generated": 1}
    assert ids(log.scan(Topic.SIGNAL)) == ["signal-1"]


def test_quarantine_keeps_bad_bytes_once_and_counts(log):
    log.quarantine(b"\x00bad", code="E_ONE", reason="first")
    log.quarantine(b"other", code="E_TWO", reason="second")
    log.quarantine(b"\x00bad", code="E_THREE", reason="third")
    first, second = log.quarantined()
    assert (first["raw"], first["code"], first["reason"], first["count"]) == (b"\x00bad", "E_ONE", "first", 2)
    assert first["last_seen"] - first["first_seen"] == timedelta(seconds=2)
    assert (second["raw"], second["count"], second["first_seen"]) == (b"other", 1, second["last_seen"])
    assert first["digest"] != second["digest"]
    assert log.position() == 0


def test_threads_share_a_log(log, bars):
    batches = [bars(*range(start, start + 40)) for start in range(0, 200, 20)]
    with ThreadPoolExecutor(8) as pool:
        stored = sum(pool.map(log.append, batches))
    assert stored == 220
    assert log.scan(Topic.BAR).num_rows == 220
    assert len(set(log.scan(Topic.BAR)["position"].to_pylist())) == 220


def test_closing_again_does_nothing(log):
    log.close()
    log.close()


def envelope(number: int) -> Envelope:
    moment = datetime(2024, 1, 1 + number % 5, tzinfo=UTC)
    return Envelope(
        event_id=f"e-{number}",
        event_type=Topic.BAR,
        ts_event=moment,
        ts_ingest=moment,
        source="test",
        correlation_id="c",
        partition_key="KO",
        payload={"number": number},
        tags={},
    )


@settings(max_examples=25, deadline=None)
@given(
    batches=st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_what_is_stored_depends_on_neither_order_nor_repetition(batches, order):
    shuffled = [number for batch in batches for number in batch] * 2
    order.shuffle(shuffled)
    with TemporaryDirectory() as folder:
        file = SqliteEventLog(Path(folder) / "events.db", clock=lambda: datetime(2024, 1, 1, tzinfo=UTC))
        memory = InMemoryEventLog(clock=lambda: datetime(2024, 1, 1, tzinfo=UTC))
        counts = [(file.append(events), memory.append(events)) for events in map(envelopes, batches)]
        tables = [log.scan(Topic.BAR).drop_columns("position") for log in (file, memory)]
        file.append(envelopes(shuffled))
        tables.append(file.scan(Topic.BAR).drop_columns("position"))
        file.close()
    assert all(from_file == from_memory for from_file, from_memory in counts)
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    assert tables[0].num_rows == len(set(shuffled))


def envelopes(numbers):
    return [envelope(number) for number in numbers]
