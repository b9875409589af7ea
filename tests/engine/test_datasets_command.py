"""``ordinis-learn datasets`` on a desk with a dataset of its own."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from ordinis_learn.cli import main
from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.records import Topic
from ordinis_learn.use_cases.draw_questions import draw_question_pack

TAGS = {"instrument_type": "none", "venue": "none", "jurisdiction": "US", "env": "dev"}


@pytest.fixture
def typed(desk):
    def run(*words, status=0):
        done = CliRunner().invoke(main, ["--home", str(desk), "datasets", *words])
        assert done.exit_code == status, done.output
        return done.output

    return run


def test_list_verify_and_diff(engine, typed, desk):
    first = engine.workbench.catalogue.dataset("core")
    assert f"{first.ref}  signal" in typed("list")
    assert f"{first.ref} holds: {first.rows} rows" in typed("verify", "core")
    assert "0 added, 0 removed, 0 changed" in typed("diff", "core", first.ref)
    end = first.window.end - timedelta(days=200)
    second = engine.build_dataset("core", {"start": first.window.start, "end": end})
    changed = json.loads(typed("diff", first.ref, second, "--json", status=1))
    assert "window.end" in {change["field"] for change in changed["changes"]}
    assert changed["rows"]["removed"] > 0 == changed["rows"]["added"]
    (desk / "data" / "datasets" / "core" / first.version / "data.parquet").unlink()
    assert "is missing" in typed("verify", first.ref, status=1)
    assert "rows: not compared" in typed("diff", first.ref, second, status=1)


def test_prune_says_what_stays_and_a_hold_keeps(engine, typed):
    ref = engine.workbench.catalogue.dataset("core").ref
    assert f"{ref}  stays: written" in typed("prune", "--dry-run")
    typed("hold", "core", "--reason", "inquiry 14")
    assert f"{ref}  stays: legal hold: inquiry 14" in typed("prune")
    assert "E_CFG_INVALID" in typed("hold", "core", "--reason", "again", status=1)
    typed("release", "core", "--reason", "closed")
    assert engine.workbench.ledger.verify() == []


def test_kinds_of_datasets(engine):
    with pytest.raises(ConfigInvalid) as caught:
        engine.build_dataset("x", {"start": "2026-01-01", "end": "2026-01-31", "kind": "graph"})
    assert "signal, rag_eval" in caught.value.next_step
    window = {"start": "2026-01-01", "end": "2026-01-31", "kind": "rag_eval"}
    with pytest.raises(DataMissing):
        engine.build_dataset("rag", window)
    for number in range(engine.workbench.settings.learn_min_samples):
        retrieval = {
            "query": f"q{number}",
            "index_version": "ix",
            "chunks": [{"doc_id": "d", "locator": "l"}],
        }
        payload = {
            "model_used": "m",
            "latency_ms": 1.0,
            "request_hash": f"r{number}",
            "output": {"retrieval": retrieval},
        }
        _record(engine, Topic.AI_RESPONSE, payload, f"a{number}")
    _record(engine, Topic.AI_FEEDBACK, {"request_hash": "r1", "grade": 1.0, "grader": "ana"}, "f1")
    manifest = engine.workbench.catalogue.dataset(engine.build_dataset("rag", window))
    assert (manifest.kind, manifest.rows, manifest.label_stats["grade"].labelled) == ("rag_eval", 500, 1)
    drawn = draw_question_pack(engine.workbench, manifest.ref, pack_id="one_v1", task="ask", variable="query")
    # All lean on one document: a single group, in which nothing can be shown.
    assert (drawn.manifest.items, drawn.groups, drawn.graded) == (500, 1, 0)
    assert 0.7 < drawn.least_margin < 0.8


def _record(engine, topic, payload, event_id):
    engine.record_event(
        {
            "event_id": event_id,
            "event_type": topic,
            "ts_event": "2026-01-05T12:00:00Z",
            "ts_ingest": "2026-01-05T12:00:00Z",
            "source": "test",
            "correlation_id": "c",
            "partition_key": "ai",
            "payload": payload,
            "tags": TAGS,
        }
    )
