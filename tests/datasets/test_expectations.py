"""The suite finds what is wrong, and an empty look is not a pass."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.datasets.expectations import Outcome, Suite, _conclude, signal_suite, totals, validate
from ordinis_learn.records import DatasetWindow

HORIZONS = (1, 5)
FEATURES = ("f_ret_1", "f_vol_20")


@pytest.fixture(scope="module")
def good(new_desk):
    window = DatasetWindow(start="2001-01-03", end="2001-01-31", horizons=HORIZONS)
    return assemble(new_desk().log(), window=window).table


def verdict(table, *, suite=None, minimum_samples=10):
    suite = suite or signal_suite(horizons=HORIZONS, features=FEATURES)
    return validate(
        table,
        suite=suite,
        row=totals(table, horizons=HORIZONS, features=2, minimum_samples=minimum_samples),
    )


def replaced(table, name, *, row, value):
    values = table[name].to_pylist()
    values[row] = value
    return table.set_column(table.column_names.index(name), name, pa.array(values, table[name].type))


def test_good_data_pass(good):
    found = verdict(good)
    assert found.success
    assert found.evaluated == found.expected
    assert (found.failed, found.error) == ((), None)


FAULTS = [
    ("model_id", None, "expect_column_values_to_not_be_null(model_id)"),
    ("direction", 2, "expect_column_values_to_be_in_set(direction)"),
    ("confidence", 1.5, "expect_column_values_to_be_between(confidence)"),
    ("join_quality", "guessed", "expect_column_values_to_be_in_set(join_quality)"),
    ("avg_fill_price", 0.0, "expect_column_values_to_be_between(avg_fill_price)"),
    ("f_ret_1", None, "expect_column_values_to_not_be_null(f_ret_1)"),
    ("fwd_ret_5d", -1.0, "expect_column_values_to_be_between(fwd_ret_5d)"),
    ("fwd_ret_1d", 10.5, "expect_column_values_to_be_between(fwd_ret_1d)"),
]


def test_one_bad_value_in_a_column_fails_by_name(good):
    table = good
    for row, (column, value, _) in enumerate(FAULTS):
        table = replaced(table, column, row=10 * row, value=value)
    found = verdict(table)
    assert not found.success
    assert set(found.failed) == {failed for _, _, failed in FAULTS}
    assert (found.error, found.evaluated) == (None, found.expected)


def test_look_ahead_is_counted(good):
    early = good["session"][50].as_py()
    found = verdict(replaced(good, "label_start_5d", row=50, value=early))
    assert "expect_column_values_to_be_between(look_ahead_rows)" in found.failed
    assert "expect_column_pair_values_a_to_be_greater_than_b(label_start_5d, session)" in found.failed


def test_a_label_known_before_the_signal_is_look_ahead(good):
    found = verdict(replaced(good, "label_available_at_1d", row=50, value=good["ts_signal"][50].as_py()))
    assert "expect_column_values_to_be_between(look_ahead_rows)" in found.failed


def test_rows_out_of_order_fail(good):
    found = verdict(good.take(pa.array(np.arange(len(good))[::-1])))
    assert "expect_column_values_to_be_increasing(session)" in found.failed


def test_too_little_evidence_fails(good):
    found = verdict(good, minimum_samples=10_000)
    assert found.failed == (
        "expect_column_pair_values_a_to_be_greater_than_b(effective_samples_1d, minimum_samples)",
    )


class TestGuards:
    """Great Expectations alone passes each of these, or calls it bad data."""

    def test_an_empty_frame_is_refused(self, good):
        found = verdict(good.slice(0, 0))
        assert not found.success
        assert found.evaluated == 0 < found.expected
        assert "no rows" in found.error

    @pytest.mark.parametrize(
        ("column", "value"),
        [("f_ret_1", float("inf")), ("fees", float("-inf")), ("fwd_ret_5d", float("nan"))],
    )
    def test_a_value_that_is_not_finite_is_refused(self, good, column, value):
        found = verdict(replaced(good, column, row=3, value=value))
        assert not found.success
        assert f"finite({column})" in found.failed

    def test_a_missing_column_is_an_error_not_bad_data(self, good):
        found = verdict(good.drop_columns(["confidence"]))
        assert not found.success
        assert found.failed == ()
        assert "confidence" in found.error
        assert found.evaluated == found.expected - 2  # it should be present, and between 0 and 1

    @pytest.mark.parametrize("tier", ["manifest", "rows"])
    def test_an_empty_suite_is_refused(self, good, tier):
        full = signal_suite(horizons=HORIZONS, features=FEATURES)
        tiers = {"manifest": full.manifest, "rows": full.rows} | {tier: ()}
        found = verdict(good, suite=Suite(**tiers))
        assert not found.success
        assert "no expectations" in found.error

    def test_fewer_outcomes_than_expectations_are_refused(self):
        outcomes = [Outcome(name="a", success=True, error=None)] * 2
        assert _conclude(outcomes, expected=2).success
        found = _conclude(outcomes, expected=3)
        assert not found.success
        assert found.error == "2 of 3 expectations were evaluated"


def test_a_suite_has_one_hash_and_every_part_is_in_it():
    suite = signal_suite(horizons=HORIZONS, features=FEATURES)
    assert suite.content_hash() == signal_suite(horizons=HORIZONS, features=FEATURES).content_hash()
    shorter = Suite(manifest=suite.manifest, rows=suite.rows[1:])
    moved = Suite(manifest=(*suite.manifest, suite.rows[0]), rows=suite.rows[1:])
    assert len({suite.content_hash(), shorter.content_hash(), moved.content_hash()}) == 3


def test_importing_datasets_does_not_import_great_expectations():
    import subprocess
    import sys

    code = "import sys, ordinis_learn.datasets; print('great_expectations' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
