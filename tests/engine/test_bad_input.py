"""Bad input as a new user would give it: a code, what was found, what to type; nothing stored is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from ordinis_learn import open_engine
from ordinis_learn.cli import main
from ordinis_learn.errors import (
    ArtifactMissing,
    BenchDataMissing,
    ConfigInvalid,
    DataCorrupt,
    DataMissing,
    EventInvalid,
    StoreUnavailable,
)
from ordinis_learn.market import load_sp500, replay


def _signal() -> dict:
    return next(e for e in replay(load_sp500(), seed=7) if e["event_type"] == "ordinis.signals.generated")


def _with(**changes) -> dict:
    return _signal() | changes


def _nan_features() -> dict:
    signal = _signal()
    signal["payload"]["metadata"]["features"]["vol_20"] = float("nan")
    return signal


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({}, "E_EVT_SCHEMA_INVALID"),
        (_with(ts_event="1991-01-02T21:00:00"), "E_EVT_SCHEMA_INVALID"),
        (_with(event_type="ordinis.signals.imagined"), "E_EVT_TOPIC_UNKNOWN"),
        (_nan_features(), "E_EVT_SCHEMA_INVALID"),
        (_with(tags={"venue": "sim"}), "E_EVT_TAGS_MISSING"),
        (_with(schema_version="2.0.0"), "E_EVT_SCHEMA_INCOMPATIBLE"),
    ],
    ids=["empty", "naive", "unknown type", "NaN feature", "tags", "newer major"],
)
def test_a_bad_event_is_quarantined_whole_and_named(engine, event, code):
    log = engine.workbench.log
    before = dict(log.counts())
    with pytest.raises(EventInvalid) as caught:
        engine.record_event(event)
    assert caught.value.code == code
    assert caught.value.next_step
    assert dict(log.counts()) == before
    [entry] = log.quarantined()
    assert entry["code"] == code


def test_a_window_with_too_few_samples(engine):
    with pytest.raises(DataMissing) as caught:
        engine.build_dataset("tiny", {"start": "1991-01-02", "end": "1991-02-01"})
    assert caught.value.code == "E_LEARN_DATA_MISSING"
    assert caught.value.data["rows"] > 0


@pytest.mark.parametrize(
    "window",
    [
        {},
        {"start": "1993-01-04", "end": "1992-01-02"},
        {"start": "1991-01-02", "end": "1993-12-31", "horizons": [0]},
        {"start": "1991-01-02", "end": "1993-12-31", "as_of": "1994-01-01T00:00:00"},
        {"start": "1991-01-02", "end": "1993-12-31", "horizon": [5]},
    ],
)
def test_a_window_that_cannot_be_read(engine, window):
    with pytest.raises(ConfigInvalid):
        engine.build_dataset("core", window)


def test_a_missing_pack_and_a_missing_artifact(engine):
    artifact = engine.train({"name": "desk_rule", "model": "rule"})
    with pytest.raises(BenchDataMissing, match="ordinis-learn packs generate"):
        engine.evaluate(artifact.artifact_id, "bench_imagined")
    # A name that was mistyped must not make a series of its own.
    assert engine.workbench.catalogue.failures("evaluate") == {"unknown": 1}
    with pytest.raises(ArtifactMissing):
        engine.evaluate("nobody", "bench_core_v1")


def test_a_corrupted_parquet_file_cannot_be_trained_on(engine, desk):
    manifest = engine.workbench.catalogue.dataset("core")
    [file] = manifest.files
    path = desk / "data" / "datasets" / "core" / manifest.version / file.path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataCorrupt, match="ordinis-learn datasets build"):
        engine.train({"name": "broken", "dataset": "core", "rounds": 5})
    assert engine.workbench.catalogue.artifacts("broken") == []


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"name": "m", "dataset": "core", "model": "forest"},
        {"name": "m"},
        {"name": "m", "dataset": "core", "rounds": 0},
        {"name": "m/../x", "dataset": "core"},
        {"name": "m", "dataset": "core", "horizon_sessions": 3},
    ],
)
def test_a_training_configuration_that_cannot_be_used(engine, config):
    with pytest.raises(ConfigInvalid):
        engine.train(config)


def test_an_unknown_dataset(engine):
    with pytest.raises(DataMissing, match="ordinis-learn datasets build"):
        engine.train({"name": "m", "dataset": "nowhere"})


def test_a_read_only_home(tmp_path):
    home = tmp_path / "locked"
    home.mkdir(mode=0o500)
    if os.geteuid() == 0:
        home = Path("/proc/sys")  # root may write in any folder but this kind
    with pytest.raises(StoreUnavailable, match="ORDINIS_HOME"):
        open_engine(home=home / "desk")


def test_a_home_that_is_a_file(tmp_path):
    home = tmp_path / "file"
    home.write_text("kept")
    with pytest.raises(StoreUnavailable, match="ORDINIS_HOME"):
        open_engine(home=home)
    assert home.read_text() == "kept"


def test_a_database_that_is_not_one(tmp_path):
    (tmp_path / "registry_db").mkdir()
    (tmp_path / "registry_db" / "ordinis.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises((StoreUnavailable, DataCorrupt)):
        open_engine(home=tmp_path)


def test_the_command_line_prints_three_parts_and_exits_with_one(desk):
    done = CliRunner().invoke(main, ["--home", str(desk), "datasets", "show", "nowhere"])
    assert done.exit_code == 1
    assert "E_LEARN_DATA_MISSING" in done.output
    assert "asked:" in done.output
    assert "next:" in done.output


def test_the_command_line_records_a_file_and_quarantines_its_bad_lines(desk, tmp_path):
    lines = tmp_path / "day.jsonl"
    good = json.dumps(_with(event_id="new-1"))
    lines.write_text(f"{good}\n{good}\n{{broken\n[]\n")
    done = CliRunner().invoke(main, ["--home", str(desk), "events", "record", str(lines)])
    assert done.exit_code == 0, done.output
    assert "1 stored, 1 seen before, 2 quarantined" in done.output


def test_pruning_where_nothing_is_retired_says_so(desk):
    done = CliRunner().invoke(main, ["--home", str(desk), "models", "prune", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "nothing to prune" in done.output
