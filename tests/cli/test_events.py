"""The commands that a desk keeps its events with."""

import json
import re

import pytest
from click.testing import CliRunner

from ordinis_learn.cli import main

MOMENT = "2024-01-02T21:00:00Z"
TAGS = {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"}


def bar(event_id, **payload):
    body = {"symbol": "KO", "tf": "1d", "ts": MOMENT, "session": "2024-01-02", "close": 59.8}
    return json.dumps(
        {
            "event_id": event_id,
            "event_type": "ordinis.market.bar.closed",
            "ts_event": MOMENT,
            "ts_ingest": MOMENT,
            "source": "test",
            "correlation_id": "c",
            "partition_key": "KO",
            "payload": body | payload,
            "tags": TAGS,
        }
    )


@pytest.fixture
def learn(tmp_path):
    """Run a command in a home with two good events and a bad one."""

    def run(*words, input=None, code=0):  # noqa: A002  the runner's own word
        result = CliRunner().invoke(main, ["--home", str(tmp_path), "events", *words], input=input)
        assert result.exit_code == code, result.output
        return result.output

    lines = "\n".join([bar("a"), bar("b"), bar("bad", close=-1)])
    assert "2 stored, 0 seen before, 1 quarantined" in run("record", "-", input=lines)
    return run


def test_seal_count_and_verify(learn, tmp_path):
    assert re.search(
        r"2  2024-01-02  ordinis\.market\.bar\.closed\n +2  would be sealed", learn("seal", "--dry-run")
    )
    assert re.search(r"2  sealed", learn("seal"))
    assert "2  in all  (2 sealed)" in learn("count")
    assert "2 sealed events, 0 faults" in learn("verify")
    (file,) = (tmp_path / "data" / "events").rglob("*.parquet")
    file.write_bytes(file.read_bytes() + b"\x00")
    assert "not those that were sealed" in learn("verify", code=1)
    assert "2099-01-01" in learn("seal", "--before", "2099-01-01", code=1)


def test_quarantine_list_show_and_retry(learn):
    (digest,) = re.findall(
        r"^([0-9a-f]{12})  E_EVT_SCHEMA_INVALID  ×1", learn("quarantine", "list"), re.MULTILINE
    )
    assert learn("quarantine") == learn("quarantine", "list")
    shown = learn("quarantine", "show", digest[:6])
    assert bar("bad", close=-1) in shown
    assert "close is -1" in shown
    assert "1 still bad" in learn("quarantine", "retry", "--all")
    assert "events quarantine list" in learn("quarantine", "show", "zz", code=1)
    assert "neither" in learn("quarantine", "retry", code=1)
