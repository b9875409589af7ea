from datetime import UTC, datetime

import numpy as np
import pytest
from safetensors.numpy import save

from ordinis_learn.drift import build_reference, check_drift, load_reference, save_reference
from ordinis_learn.errors import DataCorrupt, StoreUnavailable
from ordinis_learn.records import ModelRef

SESSIONS = 300


@pytest.fixture
def table(rows):
    rng = np.random.default_rng(1)
    values = rng.standard_normal((SESSIONS, 4))
    values[5, 2] = np.nan
    return rows({"ret_1": values, "sector": rng.integers(0, 4, (SESSIONS, 4)).astype(float)}, symbols=4)


@pytest.fixture
def reference(table, manifest_of):
    said = np.random.default_rng(2).standard_normal(table.num_rows)
    return build_reference(table, manifest=manifest_of(table, ("ret_1", "sector")), prediction=said)


def check(reference, table):
    return check_drift(
        reference=reference,
        current=table,
        model=ModelRef(name="m", version="1", artifact_sha256="0" * 64),
        psi_floor=0.2,
        alpha=0.05,
        seed=3,
        clock=lambda: datetime(2024, 1, 2, tzinfo=UTC),
    )


def test_a_kept_reference_measures_like_the_one_it_was_made_from(reference, table, tmp_path):
    path = tmp_path / "references" / "one.safetensors"
    save_reference(reference, path)
    again = load_reference(path)
    recent = table.slice(0, 120)
    assert check(again, recent) == check(reference, recent)
    assert (again.dataset_ref, again.rows, again.feature_names) == (
        "core@1",
        SESSIONS * 4,
        ("ret_1", "sector"),
    )


def test_the_same_rows_give_the_same_bytes(reference, tmp_path):
    for name in ("one", "two"):
        save_reference(reference, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_nothing_kept_is_none(tmp_path):
    assert load_reference(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a reference",
        save({"days": np.zeros(3)}),
        save({"days": np.zeros(3)}, metadata={"header": "{}"}),
    ],
)
def test_what_is_no_reference_is_refused_by_name(content, tmp_path):
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(DataCorrupt, match="broken") as caught:
        load_reference(path)
    assert "remove" in caught.value.next_step


def test_a_reference_cut_short_is_refused(reference, tmp_path):
    path = tmp_path / "cut"
    save_reference(reference, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataCorrupt):
        load_reference(path)


def test_a_place_that_cannot_be_written_is_named(reference, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="file") as caught:
        save_reference(reference, tmp_path / "file" / "one")
    assert "writable" in caught.value.next_step


def test_nulls_are_calibrated_once_for_windows_of_one_length(reference):
    from ordinis_learn.drift import Judgement

    judgement = Judgement(draws=99, seed=1, alpha=0.05, psi_floor=0.2)
    first = reference.nulls("ret_1", window_sessions=20, judgement=judgement)
    assert reference.nulls("ret_1", window_sessions=20, judgement=judgement) is first
    assert reference.nulls("ret_1", window_sessions=21, judgement=judgement) is not first
