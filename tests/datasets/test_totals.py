"""Totals and associations against plain Python, SciPy and Great Expectations on the rows."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.datasets.expectations import Expectation, Suite
from ordinis_learn.datasets.look_ahead import COPY, LOOK_AHEAD, allowed, associations, correlations
from ordinis_learn.datasets.repeats import repeats
from ordinis_learn.datasets.signal_suite import signal_suite, signal_totals
from ordinis_learn.datasets.totals import measure, out_of_order, schema_faults

cells = st.none() | st.floats(-20, 20) | st.sampled_from([0.0, -1.0, math.inf, -math.inf, math.nan])
columns = st.lists(st.tuples(cells, st.none() | st.sampled_from("abc")), max_size=30)


@settings(max_examples=12, deadline=None)
@given(columns)
def test_totals_of_a_column_are_those_of_plain_python(pairs):
    values, keys = [value for value, _ in pairs], [key for _, key in pairs]
    rows = pa.table({"f_x": pa.array(values, pa.float64()), "signal_id": pa.array(keys, pa.string())})
    suite = signal_suite(horizons=(1,), features=("f_x",), barriers=None)
    names = {"missing(f_x)", "not_finite(f_x)", "constant(f_x)", "empty"}
    chosen = tuple(entry for entry in suite.expectations if entry.name in names)
    found = measure(rows, suite=Suite(kind="t", schema={}, expectations=chosen), given={})
    known = [value for value in values if value is not None]
    ordered = sorted({math.inf if math.isnan(value) else value for value in known})
    assert found["empty"] == len(values)
    assert found["missing(f_x)"] == len(values) - len(known)
    assert found["not_finite(f_x)"] == any(not math.isfinite(value) for value in known)
    if all(map(math.isfinite, known)):
        assert found["constant(f_x)"] == (len(ordered) < 2)
    there = [key for key in keys if key is not None]
    assert repeats(rows, column="signal_id") == len(there) - len(set(there))


@settings(deadline=None)
@given(st.lists(st.none() | st.integers(0, 9), max_size=20), st.integers(1, 5))
def test_order_is_that_of_neighbours_over_all_chunks(values, size):
    chunks = [pa.array(values[n : n + size], pa.int64()) for n in range(0, len(values), size)]
    rows = pa.table({"session": pa.chunked_array(chunks, pa.int64())})
    known = [value for value in values if value is not None]
    assert out_of_order(rows, column="session") == sum(b < a for a, b in pairwise(known))
    assert out_of_order(rows, column="other") is None


numbers = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=40)


@settings(deadline=None)
@given(numbers)
def test_correlation_is_scipys(pairs):
    from scipy import stats

    x, y = np.array(pairs, dtype=float).T
    found = correlations(x[:, None], y[:, None])[0, 0]
    assert 0.0 <= found <= 1.0
    assert found == pytest.approx(correlations(y[:, None], x[:, None])[0, 0])
    if len(set(x)) > 1 and len(set(y)) > 1:
        expected = max(abs(stats.pearsonr(x, y).statistic), abs(stats.spearmanr(x, y).statistic))
        assert found == pytest.approx(expected)
    else:
        assert found == 0.0


@settings(deadline=None)
@given(st.integers(0, 99), st.floats(1e-200, 1e200), st.booleans())
def test_a_copy_is_found_whatever_its_scale_sign_and_bend(seed, scale, is_bent):
    label = np.random.default_rng(seed).normal(0.0, 0.02, 200)
    copy = -scale * (np.exp(20 * label) if is_bent else label)
    assert correlations(copy[:, None], label[:, None])[0, 0] >= COPY


@settings(deadline=None)
@given(st.integers(0, 499))
def test_pure_noise_is_never_refused(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(5, 300))
    names = ("f_a", "f_b", "fwd_ret_5d", "signed_ret_5d")
    table = pa.table({name: rng.normal(size=size) for name in names} | {"uniqueness_5d": np.full(size, 0.99)})
    found = associations(table, features=names[:2], horizons=(5,))
    assert max(found.values()) < 1.0


@settings(deadline=None)
@given(st.floats(0, 1e7))
def test_what_is_allowed_shrinks_with_evidence_and_never_reaches_a_copy(evidence):
    limit = allowed(LOOK_AHEAD, effective_samples=evidence)
    assert LOOK_AHEAD <= limit <= COPY
    assert limit >= allowed(LOOK_AHEAD, effective_samples=evidence * 2 + 1)


def test_other_types_and_absent_columns_are_faults_of_the_schema():
    suite = Suite(
        kind="t",
        schema={"a": "double", "b": "string", "c": "int8"},
        expectations=(Expectation(name="x", high=0),),
    )
    schema = pa.schema({"a": pa.float64(), "b": pa.large_string(), "d": pa.int8()})
    assert schema_faults(schema, suite=suite) == {"b", "c"}


@pytest.mark.parametrize("bad", [False, True])
def test_never_weaker_than_great_expectations_on_the_rows(new_desk, bad):
    """Whatever Great Expectations finds by looking at every row, a total is outside its bounds for."""
    from ordinis_learn.datasets._gx import ExpectationConfiguration, run_suite
    from ordinis_learn.datasets.assembly import assemble
    from ordinis_learn.records import DatasetWindow

    window = DatasetWindow(start="2001-01-03", end="2001-02-04", horizons=(1,))
    table = assemble(new_desk(days=50).log(), window=window).table
    if bad:
        for row, (name, value) in enumerate(
            [
                ("signal_id", table["signal_id"][0].as_py()),
                ("model_id", None),
                ("direction", 3),
                ("confidence", -0.1),
                ("join_quality", "?"),
                ("avg_fill_price", -1.0),
                ("f_ret_1", None),
                ("fwd_ret_1d", 11.0),
                ("uniqueness_1d", 0.0),
            ]
        ):
            values = table[name].to_pylist()
            values[10 + row] = value
            table = table.set_column(table.column_names.index(name), name, pa.array(values, table[name].type))
    between = "expect_column_values_to_be_between"
    rules = {
        "duplicate(signal_id)": ("expect_column_values_to_be_unique", {"column": "signal_id"}),
        "missing(model_id)": ("expect_column_values_to_not_be_null", {"column": "model_id"}),
        "missing(f_ret_1)": ("expect_column_values_to_not_be_null", {"column": "f_ret_1"}),
        "unknown(direction)": (
            "expect_column_values_to_be_in_set",
            {"column": "direction", "value_set": [-1, 0, 1]},
        ),
        "unknown(join_quality)": (
            "expect_column_values_to_be_in_set",
            {"column": "join_quality", "value_set": ["carried", "intent", "inferred", "none"]},
        ),
        "absurd(confidence)": (between, {"column": "confidence", "min_value": 0, "max_value": 1}),
        "absurd(avg_fill_price)": (
            between,
            {"column": "avg_fill_price", "min_value": 0, "strict_min": True},
        ),
        "absurd(fwd_ret_1d)": (
            between,
            {"column": "fwd_ret_1d", "min_value": -1, "strict_min": True, "max_value": 10},
        ),
        "absurd(uniqueness_1d)": (
            between,
            {"column": "uniqueness_1d", "min_value": 0, "strict_min": True, "max_value": 1},
        ),
    }
    frame = table.to_pandas()
    results = run_suite(
        frame,
        expectations=[ExpectationConfiguration(type=kind, kwargs=asked) for kind, asked in rules.values()],
    )
    columns = {
        (result.expectation_config.type, result.expectation_config.kwargs["column"]): result
        for result in results
    }
    by_gx = {name for name, (kind, asked) in rules.items() if not columns[kind, asked["column"]].success}
    suite = signal_suite(horizons=(1,), features=("f_ret_1", "f_vol_20"), barriers=None)
    totals = signal_totals(
        table, suite=suite, horizons=(1,), features=("f_ret_1", "f_vol_20"), minimum_samples=10
    )
    assert len(by_gx) == (len(rules) if bad else 0)
    assert {name for name in rules if totals[name]} == by_gx
