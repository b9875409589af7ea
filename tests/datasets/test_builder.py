"""From events to a dataset on disk."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.datasets import bucketed_sha256, open_dataset
from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.errors import (
    ConfigInvalid,
    DataCorrupt,
    DataMissing,
    DatasetRejected,
    StoreUnavailable,
)
from ordinis_learn.records import DatasetManifest, DatasetWindow, file_sha256

SESSIONS = 29  # 2001-01-03 to 2001-01-31, every day


def files_below(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_manifest_says_what_is_on_disk(build, desk, root):
    manifest = build(desk.log())
    folder = root / "core" / manifest.version
    assert manifest.version == manifest.content_sha256[:16]
    assert {path.name for path in folder.iterdir()} == {"data.parquet", "manifest.json", "report.html"}
    assert DatasetManifest.model_validate_json((folder / "manifest.json").read_bytes()) == manifest
    assert manifest.files[0].sha256 == file_sha256(folder / "data.parquet")
    assert [path.name for path in root.iterdir()] == ["core"]
    table = open_dataset(manifest, root=root)
    assert bucketed_sha256(table) == manifest.content_sha256
    assert manifest.columns == {field.name: str(field.type) for field in table.schema}
    assert len(table) == manifest.rows == 4 * SESSIONS
    assert manifest.validation.success
    assert manifest.validation.evaluated == manifest.validation.expected > 30


def test_rows_are_what_the_desk_did(build, desk, root):
    manifest = build(desk.log())
    table = open_dataset(manifest, root=root)
    keys = list(zip(*(table[name].to_pylist() for name in ("session", "symbol", "signal_id")), strict=True))
    assert keys == sorted(keys)
    assert manifest.feature_names == ("ret_1", "vol_20")
    row = next(row for row in table.to_pylist() if row["signal_id"] == "sig-S2-007")
    assert row["session"] == date(2001, 1, 8)
    assert row["direction"] == -1
    assert row["f_vol_20"] == pytest.approx(0.207)
    assert (row["allowed"], row["order_id"], row["filled_qty"]) == (True, "ord-S2-007", 3.0)
    assert row["net_ret_5d"] is not None
    denied = next(row for row in table.to_pylist() if row["signal_id"] == "sig-S2-005")
    assert denied["allowed"] is False
    assert denied["net_ret_5d"] is None
    assert denied["fwd_ret_5d"] is not None
    assert manifest.join_quality.intent + manifest.join_quality.none == manifest.rows
    assert manifest.join_quality.none == 4 * 6  # every fifth day is denied


def test_evidence_shrinks_with_overlap(build, desk):
    stats = build(desk.log()).label_stats
    assert stats["1d"].effective_samples == pytest.approx(4 * SESSIONS)
    assert stats["5d"].labelled == 4 * SESSIONS
    assert 4 * SESSIONS / 5 < stats["5d"].effective_samples < 4 * (SESSIONS / 5 + 3)


def test_building_twice_writes_once(build, desk, root):
    log = desk.log()
    first = build(log)
    before = files_below(root)
    stamps = [path.stat().st_mtime_ns for path in sorted(root.rglob("*"))]
    assert build(log) == first
    assert files_below(root) == before
    assert [path.stat().st_mtime_ns for path in sorted(root.rglob("*"))] == stamps


def test_order_of_arrival_does_not_matter(build, desk):
    order = np.random.default_rng(5).permutation(len(desk.events))
    assert build(desk.log(order=order)).content_sha256 == build(desk.log()).content_sha256


def test_new_events_make_a_new_version_beside_the_old(build, desk, root):
    first = build(desk.log(until=max(event.ts_event for event in desk.events) - timedelta(days=15)))
    before = files_below(root / "core" / first.version)
    second = build(desk.log())
    assert second.version != first.version
    assert second.event_range.log_position > first.event_range.log_position
    assert files_below(root / "core" / first.version) == before


def test_events_after_the_position_are_not_read(desk, window):
    """A log that grows between two scans gives the dataset of its position."""
    log = desk.log()
    quiet = assemble(log, window=window)

    class Growing:
        def __init__(self):
            self.log = desk.log()

        def position(self):
            position = self.log.position()
            late = type(desk)(seed=1)
            self.log.append(
                [event.model_copy(update={"event_id": "x" + event.event_id}) for event in late.events]
            )
            return position

        def read_columns(self, topic, **bounds):
            return self.log.read_columns(topic, **bounds)

    assert bucketed_sha256(assemble(Growing(), window=window).table) == bucketed_sha256(quiet.table)


def test_only_the_symbols_that_were_asked_for(build, desk, root, window):
    manifest = build(desk.log(), window=window.model_copy(update={"symbols": ("S1", "S3")}), min_samples=10)
    table = open_dataset(manifest, root=root)
    assert set(table["symbol"].to_pylist()) == {"S1", "S3"}


def test_as_of_is_a_log_that_ends_there(build, desk, close, window):
    moment = close(24)
    whole = build(desk.log(), window=window.model_copy(update={"as_of": moment}))
    ended = build(desk.log(until=moment), dataset_id="ended")
    assert whole.content_sha256 == ended.content_sha256
    assert whole.label_stats["5d"].labelled < build(desk.log()).label_stats["5d"].labelled


@settings(max_examples=8, deadline=None)
@given(day=st.integers(8, 36), seed=st.integers(1, 9))
def test_the_future_changes_nothing_that_was_known(new_desk, close, day, seed):
    """Another desk's events after t: same rows, features and fills by t, same labels available by t."""
    window = DatasetWindow(start="2001-01-01", end="2001-02-09", horizons=(1, 5), calendar="24/7")
    one, other = new_desk(), new_desk(seed=seed)
    moment = close(day)
    spliced = new_desk(days=0)
    spliced.events = [event for event in one.events if event.ts_event <= moment]
    spliced.events += [event for event in other.events if event.ts_event > moment]
    assert known_by(moment, assemble(one.log(), window=window)) == known_by(
        moment, assemble(spliced.log(), window=window)
    )


def known_by(moment, assembled):
    known = []
    for row in assembled.table.to_pylist():
        if row["ts_signal"] > moment:
            continue
        known.append({name: row[name] for name in row if name.startswith("f_") or name == "signal_id"})
        for horizon in (1, 5):
            available = row[f"label_available_at_{horizon}d"]
            if available is not None and available <= moment:
                names = ("fwd_ret", "signed_ret", "risk_adj_ret", "net_ret", "label_start", "label_end")
                known.append({name: row[f"{name}_{horizon}d"] for name in names})
    return known


class TestRefusals:
    def test_too_few_samples(self, build, desk, root):
        with pytest.raises(DataMissing) as caught:
            build(desk.log(), min_samples=1000)
        error = caught.value
        assert error.code == "E_LEARN_DATA_MISSING"
        assert error.data["rows"] == 4 * SESSIONS
        assert set(error.data["effective_samples"]) == {"1d", "5d"}
        assert "2001-01-01..2001-02-09" in error.found
        assert "ordinis-learn datasets build core --start 2001-01-01 --end 2001-02-09" in error.next_step
        assert not root.exists()

    def test_a_window_without_signals(self, build, desk, root, window):
        later = window.model_copy(update={"start": date(2005, 1, 1), "end": date(2005, 2, 1)})
        with pytest.raises(DataMissing) as caught:
            build(desk.log(), window=later)
        assert caught.value.data["rows"] == 0
        assert "2001-01-01..2001-02-09" in caught.value.found
        assert not root.exists()

    def test_an_empty_log(self, build, new_desk):
        with pytest.raises(DataMissing) as caught:
            build(new_desk(days=0).log())
        assert "no signals" in caught.value.found
        assert "record" in caught.value.next_step

    def test_too_few_samples_leave_what_was_built_before(self, build, desk, root):
        build(desk.log())
        before = files_below(root)
        with pytest.raises(DataMissing):
            build(desk.log(), min_samples=1000)
        assert files_below(root) == before

    @pytest.mark.parametrize("dataset_id", ["", "../escape", "a/b", ".hidden", "x" * 65])
    def test_an_id_that_is_no_folder_name(self, build, desk, dataset_id):
        with pytest.raises(ConfigInvalid) as caught:
            build(desk.log(), dataset_id=dataset_id)
        assert caught.value.code == "E_CFG_INVALID"

    def test_a_signal_id_that_was_used_twice(self, build, desk, root):
        features = {"ret_1": 0.0, "vol_20": 0.2}
        desk.signal("sig-S2-007", "S2", 7, event_id="again", features=features)
        with pytest.raises(DatasetRejected) as caught:
            build(desk.log())
        manifest = caught.value.data["manifest"]
        assert not manifest.validation.success
        assert "duplicate(signal_id)" in manifest.validation.failed
        folder = root / "core" / manifest.version
        assert "rejected" in (folder / "report.html").read_text(encoding="utf-8")
        with pytest.raises(DatasetRejected):
            open_dataset(manifest, root=root)
        with pytest.raises(DatasetRejected):
            build(desk.log())

    def test_a_feature_that_one_signal_lacks(self, build, desk):
        desk.signal("sig-extra", "S2", 7, event_id="extra", features={"ret_1": 0.0})
        with pytest.raises(DatasetRejected) as caught:
            build(desk.log())
        failed = caught.value.data["manifest"].validation.failed
        assert failed == ("missing(f_vol_20)",)

    def test_a_place_that_cannot_be_written(self, build, desk, root):
        root.write_text("a file where the folder should be")
        with pytest.raises(StoreUnavailable) as caught:
            build(desk.log())
        assert caught.value.retryable
        assert str(root) in caught.value.next_step

    def test_another_suite_does_not_rewrite_a_verdict(self, build, desk, root):
        manifest = build(desk.log())
        path = root / "core" / manifest.version / "manifest.json"
        document = json.loads(path.read_text()) | {"suite_hash": "0" * 64}
        path.write_text(json.dumps(document))
        with pytest.raises(ConfigInvalid) as caught:
            build(desk.log())
        assert "another suite" in caught.value.found


class TestDamage:
    def test_changed_bytes_are_found_and_can_be_built_again(self, build, desk, root):
        manifest = build(desk.log())
        path = root / "core" / manifest.version / "data.parquet"
        good = path.read_bytes()
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(DataCorrupt) as caught:
            open_dataset(manifest, root=root)
        assert caught.value.code == "E_LEARN_DATA_CORRUPT"
        assert "ordinis-learn datasets build core --start 2001-01-03" in caught.value.next_step
        assert build(desk.log()) == manifest
        assert path.read_bytes() == good
        assert len(open_dataset(manifest, root=root)) == manifest.rows

    def test_a_missing_file(self, build, desk, root):
        manifest = build(desk.log())
        (root / "core" / manifest.version / "data.parquet").unlink()
        with pytest.raises(DataCorrupt) as caught:
            open_dataset(manifest, root=root)
        assert "is missing" in caught.value.found

    def test_a_file_that_never_was_parquet(self, build, desk, root):
        manifest = build(desk.log())
        path = root / "core" / manifest.version / "data.parquet"
        path.write_bytes(b"not Parquet")
        file = manifest.files[0].model_copy(update={"sha256": file_sha256(path)})
        with pytest.raises(DataCorrupt):
            open_dataset(manifest.model_copy(update={"files": (file,)}), root=root)

    def test_a_version_without_its_manifest(self, build, desk, root):
        manifest = build(desk.log())
        folder = root / "core" / manifest.version
        (folder / "manifest.json").unlink()
        with pytest.raises(DataCorrupt) as caught:
            build(desk.log())
        assert str(folder) in caught.value.next_step
        assert (folder / "data.parquet").is_file()
