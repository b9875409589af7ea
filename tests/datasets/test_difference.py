"""What changed between two datasets, and what does not hold on disk."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.datasets import open_dataset
from ordinis_learn.datasets.difference import difference, row_changes
from ordinis_learn.datasets.verification import verify_dataset
from ordinis_learn.errors import DataMissing


def test_a_dataset_does_not_differ_from_itself_or_a_later_build(build, desk, root):
    one = build(desk.log())
    later = one.model_copy(update={"created_at": one.created_at + timedelta(days=1)})
    rows = row_changes(open_dataset(one, root=root), open_dataset(one, root=root), kind="signal")
    found = difference(one, later, rows=rows)
    assert found.is_empty
    assert (found.changes, rows.columns) == ((), {})


def test_every_kind_of_change_is_named(build, desk, root, window):
    one = build(desk.log())
    narrower = window.model_copy(update={"start": window.start + timedelta(days=3), "horizons": (1,)})
    other = build(desk.log(), window=narrower)
    rows = row_changes(open_dataset(one, root=root), open_dataset(other, root=root), kind="signal")
    found = difference(one, other, rows=rows)
    names = {change.field for change in found.changes}
    assert {
        "rows",
        "content_sha256",
        "config_hash",
        "suite_hash",
        "window.start",
        "window.horizons",
        "columns.fwd_ret_5d",
        "label_stats.1d.labelled",
        "label_stats.5d.labelled",
        "profile.vol_20.mean",
        "profile.ret_1.count",
    } <= names
    assert {"created_at", "version", "kind"} & names == set()
    assert (rows.added, rows.removed, rows.changed) == (0, 12, rows.columns.get("uniqueness_1d", 0))
    assert not found.is_empty


cells = st.none() | st.sampled_from([0.0, 1.0, float("nan")])
tables = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(cells, st.none() | st.integers(0, 1)), max_size=6
)


def as_table(rows):
    columns = {
        "signal_id": pa.array(list(rows), pa.string()),
        "x": pa.array([x for x, _ in rows.values()], pa.float64()),
        "y z": pa.array([y for _, y in rows.values()], pa.int64()),
    }
    return pa.table(columns)


@settings(max_examples=40, deadline=None)
@given(tables, tables)
def test_rows_are_compared_by_key(before, after):
    found = row_changes(as_table(before), as_table(after), kind="signal")
    both = set(before) & set(after)
    differing = Counter(
        name
        for key in both
        for name, a, b in zip(("x", "y z"), before[key], after[key], strict=True)
        if repr(a) != repr(b)
    )
    assert (found.added, found.removed) == (len(set(after) - both), len(set(before) - both))
    assert found.columns == dict(differing)
    assert found.changed == sum(repr(before[key]) != repr(after[key]) for key in both)


class TestVerify:
    def test_all_holds(self, build, desk, root):
        assert verify_dataset(build(desk.log()), root=root) == []

    def test_a_folder_that_is_gone(self, build, desk, root):
        import shutil

        manifest = build(desk.log())
        shutil.rmtree(root)
        (fault,) = verify_dataset(manifest, root=root)
        assert fault.endswith("is missing")

    def test_changed_bytes(self, build, desk, root):
        manifest = build(desk.log())
        path = root / "core" / manifest.version / "data.parquet"
        path.write_bytes(path.read_bytes() + b"x")
        (fault,) = verify_dataset(manifest, root=root)
        assert "SHA-256" in fault

    def test_a_manifest_that_was_edited_on_disk(self, build, desk, root):
        manifest = build(desk.log())
        path = root / "core" / manifest.version / "manifest.json"
        edited = json.loads(path.read_text())
        edited["validation"]["success"] = False
        path.write_text(json.dumps(edited))
        (fault,) = verify_dataset(manifest, root=root)
        assert "differs from what the governance database remembers" in fault

    @pytest.mark.parametrize(
        ("update", "words"),
        [
            ({"content_sha256": "0" * 64}, "do not hash"),
            ({"rows": 3}, "rows, the manifest says 3"),
            ({"columns": {"x": "double"}}, "columns or their types"),
        ],
    )
    def test_a_manifest_that_says_something_else_of_the_same_file(self, build, desk, root, update, words):
        """Even where folder and database agree: the rows are looked at."""
        manifest = build(desk.log()).model_copy(update=update)
        (root / "core" / manifest.version / "manifest.json").write_text(manifest.model_dump_json())
        assert words in " ".join(verify_dataset(manifest, root=root))

    def test_pruned_rows_are_no_fault_but_an_answer(self, build, desk, root):
        manifest = build(desk.log())
        folder = root / "core" / manifest.version
        (folder / "data.parquet").unlink()
        (folder / "pruned.txt").write_text("2004-01-01 by ana")
        with pytest.raises(DataMissing) as caught:
            verify_dataset(manifest, root=root)
        assert "pruned (2004-01-01 by ana)" in caught.value.found
        assert "ordinis-learn datasets build core --start" in caught.value.next_step
        assert build(desk.log()) == manifest
        assert verify_dataset(manifest, root=root) == []
        assert not (folder / "pruned.txt").exists()
