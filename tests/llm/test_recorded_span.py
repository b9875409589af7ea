"""What production answered, from the event log of a desk to the lines of a terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from ordinis_learn.cli import main
from ordinis_learn.prompts import read_pack_file

TAGS = {"instrument_type": "equity", "venue": "XNAS", "jurisdiction": "US", "env": "prod"}
PACKS = ("models:/cortex/1", "models:/cortex/2", "models:/../1", "models:/nobody/7")


def record(engine, number, *, pack, valid):
    claims = [{"text": "Margin was 41 %.", "citations": [{"doc_id": f"d{number % 30}", "locator": "p. 4"}]}]
    engine.record_event(
        {
            "event_id": f"{pack}-{number}",
            "event_type": "ordinis.ai.response",
            "schema_version": "1.0.0",
            "ts_event": (datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(minutes=number)).isoformat(),
            "ts_ingest": datetime(2026, 3, 2, 23, tzinfo=UTC).isoformat(),
            "source": "cortex",
            "trace_id": "t",
            "span_id": "s",
            "correlation_id": f"c{number}",
            "partition_key": "ACME",
            "tags": TAGS,
            "payload": {
                "model_used": "m",
                "latency_ms": 120.5,
                "text": json.dumps({"claims": claims, "uncertainties": []} if valid else {"claims": "none"}),
                "output": {
                    "prompt_pack": pack,
                    "task": "synthesize_research",
                    "retrieval": {
                        "query": "why?",
                        "index_version": "1",
                        "chunks": [{"doc_id": f"d{number % 30}"}],
                    },
                },
                "request_hash": f"{pack}-{number}",
            },
        }
    )


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("ORDINIS_ACTOR", "researcher")
    return tmp_path / "desk"


def typed(desk, words):
    return CliRunner().invoke(main, ["--home", str(desk), *words.split()])


def test_a_span_is_measured_against_the_schemas_of_the_packs_that_were_used(engine, cortex_file, desk):
    pack = read_pack_file(cortex_file)
    engine.train({"model_type": "prompt_pack", "name": "cortex", "pack": pack.to_json()})
    for number in range(60):
        for place, name in enumerate(PACKS):
            record(engine, number, pack=name, valid=not (place == 0 and number % 3 == 0))
    span = "prompts measure --start 2026-03-02 --end 2026-03-02"
    done = typed(
        desk, f"{span} --compare models:/cortex/2 models:/cortex/1 --paired-by correlation_id --json"
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.output)
    found = {one["prompt_pack"]: one for one in report["sources"]}
    assert found["models:/cortex/1"]["measures"]["schema_valid_rate"]["value"] == pytest.approx(2 / 3)
    assert found["models:/cortex/1"]["without_schema"] == 0
    assert {found[name]["without_schema"] for name in PACKS[1:]} == {60}
    assert report["comparison"]["pairs"] == 60
    assert report["comparison"]["differences"]["schema_valid_rate"]["verdict"] == "pass"

    shown = typed(desk, span)
    assert "m, models:/cortex/1: 60 answers in 30 clusters, 0 replays left out" in shown.output
    for words, found in (
        ("--compare m models:/cortex/1", "4 sources of that name"),
        ("--compare gpt models:/cortex/1", "no sources of that name"),
        ("--compare models:/cortex/2 models:/cortex/1", "share a request_hash"),
    ):
        wrong = typed(desk, f"{span} {words}")
        assert wrong.exit_code == 1
        assert found in wrong.output
    for days, found in (
        ("--start 2026-03-03 --end 2026-03-02", "ends before it starts"),
        ("--start 2026-04-03 --end 2026-04-03", "no ordinis.ai.response"),
    ):
        wrong = typed(desk, f"prompts measure {days}")
        assert wrong.exit_code == 1
        assert found in wrong.output
