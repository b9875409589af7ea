"""Days that are not like the others: a clear answer to each, and no traceback."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binom

from ordinis_learn.errors import DataMissing

SESSIONS, MONTH = 400, 21


@pytest.fixture(scope="module")
def table_of():
    rng = np.random.default_rng(1)

    def make(rows, *, sessions, start, seed=None):
        drawn = rng if seed is None else np.random.default_rng(seed)
        values = {name: drawn.standard_normal((sessions, 4)) for name in ("x", "y")}
        return rows(values | {"flag": np.ones((sessions, 4))}, symbols=4, start=start)

    return make


@pytest.fixture
def reference(rows, table_of):
    return table_of(rows, sessions=SESSIONS, start="2000-01-03", seed=1)


@pytest.fixture
def month(rows, table_of):
    return table_of(rows, sessions=MONTH, start="2005-01-03", seed=2)


FEATURES = ("x", "y", "flag")


def breaches(report):
    return {(f.feature, f.metric) for f in report.findings if f.severity in {"warning", "critical"}}


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, values)


def test_a_session_without_rows_and_a_holiday_are_no_sessions(check, reference, month):
    holes = pa.concat_tables([month.slice(0, 20), month.slice(28)])
    report = check(reference, holes, features=FEATURES)
    assert not report.breached
    assert report.current_rows == 4 * (MONTH - 2)


def test_one_row_is_enough_to_be_measured_and_too_little_to_breach(check, reference, month):
    assert not check(reference, month.slice(0, 1), features=FEATURES).breached


def test_a_feature_that_nobody_computed_is_missing_in_every_row(check, reference, month):
    nothing = with_column(month, "f_x", pa.nulls(month.num_rows))
    assert ("x", "missing_rate") in breaches(check(reference, nothing, features=FEATURES))
    infinite = with_column(month, "f_x", pa.array(np.full(month.num_rows, np.inf)))
    assert ("x", "missing_rate") in breaches(check(reference, infinite, features=FEATURES))


def test_a_feature_that_stands_still_is_named_constant(check, reference, month):
    stuck = with_column(month, "f_x", pa.array(np.full(month.num_rows, 0.25)))
    assert ("x", "constant") in breaches(check(reference, stuck, features=FEATURES))


def test_a_feature_that_became_text_is_an_error_that_names_it(check, reference, month):
    text = with_column(month, "f_x", pa.array(["n/a"] * month.num_rows))
    with pytest.raises(DataMissing, match="'f_x' of type string") as caught:
        check(reference, text, features=FEATURES)
    assert caught.value.next_step


def test_rows_without_a_session_are_an_error(check, reference, month):
    undated = with_column(month, "session", pa.array([None] * month.num_rows, pa.date32()))
    with pytest.raises(DataMissing, match="84 of the current rows have no session"):
        check(reference, undated, features=FEATURES)


def test_fewer_symbols_than_usual_are_noisier_and_no_drift(check, rows, table_of, reference):
    """A quarter of the symbols: against months of all of them every second one would look changed."""
    trials, alarms = 20, 0
    for seed in range(trials):
        few = table_of(rows, sessions=MONTH, start="2005-01-03", seed=100 + seed)
        few = few.take(pa.array(np.arange(0, few.num_rows, 4)))
        alarms += any(
            finding.q_value <= 0.05 for finding in check(reference, few, features=FEATURES).findings
        )
    assert alarms <= binom.ppf(0.99, trials, 0.05)
