"""What was refused may pass later: it then moves into the log, exactly once."""

import json

import pytest

from ordinis_learn.capture import EventRecorder, retry
from ordinis_learn.capture.quarantine import Retried
from ordinis_learn.records import Topic


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def log(request, tmp_path, open_log):
    return open_log(request.param, tmp_path)


def refused(log, event):
    """Put an event that is good today into quarantine, as an older release would have."""
    log.quarantine(json.dumps(event).encode(), code="E_EVT_SCHEMA_INVALID", reason="unknown field")


def test_what_passes_today_moves_into_the_log(log, bar):
    refused(log, bar())
    EventRecorder(log).record_events([bar("bad", payload={"close": -1})])
    outcomes = {one.outcome for one in retry(log, log.quarantined())}
    assert outcomes == {"stored", "still bad"}
    assert log.scan(Topic.BAR)["event_id"].to_pylist() == ["bar-1"]
    (left,) = log.quarantined()
    assert json.loads(left["raw"])["event_id"] == "bad"
    assert left["count"] == 1


def test_an_interruption_between_storing_and_releasing_does_no_harm(log, bar, monkeypatch):
    refused(log, bar())
    with monkeypatch.context() as patch:
        patch.setattr(type(log), "release", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(retry(log, log.quarantined()))
    assert log.scan(Topic.BAR).num_rows == 1
    (entry,) = log.quarantined()
    assert list(retry(log, [entry])) == [Retried(digest=entry["digest"], outcome="seen before")]
    assert log.scan(Topic.BAR).num_rows == 1
    assert log.quarantined() == []


def interrupted(_log, _digest):
    raise KeyboardInterrupt


def test_releasing_what_is_not_there(log):
    assert log.release("0" * 64) is False


def test_bytes_that_are_no_event_stay(log):
    log.quarantine(b"\xff\x00", code="E_EVT_SCHEMA_INVALID", reason="r")
    (one,) = retry(log, log.quarantined())
    assert one.outcome == "still bad"
    assert one.reason
    assert log.quarantined()[0]["raw"] == b"\xff\x00"
