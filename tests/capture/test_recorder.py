import json
import math

import pytest

from ordinis_learn.capture import CaptureReceipt, EventRecorder, SqliteEventLog
from ordinis_learn.errors import ConfigInvalid, EventInvalid, EventTopicUnknown, StoreUnavailable
from ordinis_learn.records import Topic
from ordinis_learn.testing import InMemoryEventLog


@pytest.fixture
def log(clock):
    return InMemoryEventLog(clock=clock)


@pytest.fixture
def recorder(log):
    return EventRecorder(log)


def test_a_good_event_is_stored(recorder, log, bar):
    recorder.record_event(bar())
    recorder.record_event(json.dumps(bar()).encode())
    assert log.counts() == {"ordinis.market.bar.closed": 1}
    assert log.quarantined() == []


def test_a_bad_event_is_quarantined_whole_and_then_raised(recorder, log, bar):
    event = bar(event_type="ordinis.moon.phase")
    with pytest.raises(EventTopicUnknown) as caught:
        recorder.record_event(event)
    (entry,) = log.quarantined()
    assert json.loads(entry["raw"]) == event
    assert entry["code"] == "E_EVT_TOPIC_UNKNOWN"
    assert entry["reason"] == str(caught.value)
    assert log.position() == 0


def test_a_bad_event_that_comes_again_is_one_entry(recorder, log, bar):
    receipt = recorder.record_events([bar(payload={"close": math.nan})] * 3)
    assert receipt.quarantined == 3
    assert [entry["count"] for entry in log.quarantined()] == [3]


def test_a_batch_counts_every_event_once(recorder, log, bar, signal):
    naive = bar("naive", ts_event="2024-01-02T21:00:00")
    events = [bar("a"), naive, bar("b"), bar("a"), {}, bar("moon", event_type="moon"), signal(), b"no json"]
    receipt = recorder.record_events(iter(events), batch_size=2)
    assert receipt == CaptureReceipt(
        accepted=3, duplicates=1, quarantined=4, reasons={"E_EVT_SCHEMA_INVALID": 3, "E_EVT_TOPIC_UNKNOWN": 1}
    )
    assert log.position() == 3
    assert len(log.quarantined()) == 4


def test_sending_everything_again_changes_nothing(recorder, log, bar):
    events = [bar(f"bar-{n}") for n in range(25)]
    assert recorder.record_events(events, batch_size=10).accepted == 25
    before = log.scan(Topic.BAR)
    assert recorder.record_events(events, batch_size=7) == CaptureReceipt(duplicates=25)
    assert log.scan(Topic.BAR).equals(before)


@pytest.mark.parametrize(
    ("event", "raw"),
    [
        (b"\xff\x00", b"\xff\x00"),
        ("caf\u00e9", "café".encode()),
        ("\ud800", b"\xed\xa0\x80"),
        (None, b"null"),
        (7, b"7"),
        ({"x": math.nan}, b'{"x":NaN}'),
        ({"x": {1, 2}.__class__}, b"{'x': <class 'set'>}"),
    ],
)
def test_whatever_comes_is_remembered(recorder, log, event, raw):
    assert recorder.record_events([event]).quarantined == 1
    assert log.quarantined()[0]["raw"] == raw


def test_nothing_is_read_when_learning_is_off(log, bar):
    recorder = EventRecorder(log, enabled=False)
    recorder.record_event({})
    assert recorder.record_events([bar(), {}, b"no json"]) == CaptureReceipt(ignored=3)
    assert log.position() == 0
    assert log.quarantined() == []


def test_an_empty_batch(recorder):
    assert recorder.record_events([]) == CaptureReceipt()


@pytest.mark.parametrize("one", [{"event_id": "1"}, b"{}", "{}"])
def test_one_event_instead_of_many_is_a_mistake_of_the_caller(recorder, log, one):
    with pytest.raises(ConfigInvalid) as caught:
        recorder.record_events(one)
    assert "record_event(event)" in caught.value.next_step
    assert log.quarantined() == []


def test_a_batch_size_below_one_is_refused(recorder):
    with pytest.raises(ConfigInvalid):
        recorder.record_events([], batch_size=0)


def test_batches_before_a_failure_are_kept_and_all_may_be_sent_again(tmp_path, bar, clock):
    events = [bar(f"bar-{n}") for n in range(6)]
    log = SqliteEventLog(tmp_path / "events.db", clock=clock)

    def closing_in_between():
        yield from events[:4]
        log.close()
        yield from events[4:]

    with pytest.raises(StoreUnavailable):
        EventRecorder(log).record_events(closing_in_between(), batch_size=2)
    again = SqliteEventLog(tmp_path / "events.db", clock=clock)
    assert again.position() == 4
    assert EventRecorder(again).record_events(events) == CaptureReceipt(accepted=2, duplicates=4)
    again.close()


def test_a_recorded_error_is_also_a_value_error(recorder):
    with pytest.raises(ValueError, match="the event is empty"):
        recorder.record_event({})
    assert issubclass(EventInvalid, ValueError)
