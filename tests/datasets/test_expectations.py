"""An evaluation that did not look is not a pass, whatever Great Expectations says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ordinis_learn.datasets.expectations import EMPTY, Expectation, Outcome, Suite, conclude, judge
from ordinis_learn.datasets.signal_suite import signal_suite
from ordinis_learn.records import BarrierRule

ROWS = Expectation(name=EMPTY, measure="count(*)", low=1)
SMALL = Expectation(name="small", high=10.0)
ODD = Expectation(name="odd", high=0.0, severity="warning")


def suite(*expectations):
    return Suite(kind="test", schema={}, expectations=expectations)


def test_bounds_are_inclusive_and_everything_is_evaluated():
    found = judge({EMPTY: 1.0, "small": 10.0, "odd": 0.0}, suite=suite(ROWS, SMALL, ODD))
    assert (found.success, found.failed, found.warnings, found.error) == (True, (), (), None)
    assert found.evaluated == found.expected == 3
    assert [check.observed for check in found.checks] == [1.0, 10.0, 0.0]


def test_an_error_rejects_and_a_warning_is_reported():
    totals = {EMPTY: 5.0, "small": 11.0, "odd": 1.0}
    found = judge(totals, suite=suite(ROWS, SMALL, ODD))
    assert (found.success, found.failed, found.warnings) == (False, ("small",), ("odd",))
    assert judge(totals | {"small": 1.0}, suite=suite(ROWS, SMALL, ODD)).success


class TestGuards:
    """Great Expectations alone passes each of these, or calls it bad data."""

    @pytest.mark.parametrize("rows", [0.0, None])
    def test_no_rows(self, rows):
        found = judge({EMPTY: rows, "small": 1.0}, suite=suite(ROWS, SMALL))
        assert not found.success
        assert (found.evaluated, found.expected) == (0, 2)
        assert "no rows" in found.error

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
    def test_a_total_that_is_no_number(self, value):
        found = judge({EMPTY: 1.0, "small": value}, suite=suite(ROWS, SMALL))
        assert not found.success
        assert found.error == "not evaluated: small"
        assert [check.success for check in found.checks] == [True, None]

    def test_a_total_that_nobody_computed(self):
        assert judge({EMPTY: 1.0}, suite=suite(ROWS, SMALL)).error == "not evaluated: small"

    @pytest.mark.parametrize(
        ("expectations", "why"),
        [
            ((), "no expectations"),
            ((SMALL,), "does not ask for rows"),
            ((ROWS, SMALL, replace(SMALL, high=5.0)), "one name"),
            ((ROWS, Expectation(name="anything")), "cannot fail"),
        ],
    )
    def test_a_suite_that_would_pass_anything(self, expectations, why):
        found = judge({EMPTY: 1.0, "small": 1.0, "anything": 1.0}, suite=suite(*expectations))
        assert not found.success
        assert why in found.error

    def test_an_outcome_that_is_absent_or_raised(self):
        entries, totals = (ROWS, SMALL), {EMPTY: 1.0, "small": 1.0}
        good = [Outcome(name=entry.name, success=True) for entry in entries]
        assert conclude(good, expectations=entries, totals=totals).success
        merged = conclude(good[:1], expectations=entries, totals=totals)
        assert (merged.success, merged.evaluated, merged.error) == (False, 1, "not evaluated: small")
        raised = [good[0], Outcome(name="small", success=True, error="KeyError: x")]
        found = conclude(raised, expectations=entries, totals=totals)
        assert (found.success, found.error) == (False, "small: KeyError: x")


def test_a_suite_has_one_hash_and_every_part_is_in_it():
    asked = {"horizons": (1, 5), "features": ("f_a", "f_b"), "barriers": BarrierRule()}
    whole = signal_suite(**asked)
    assert whole.content_hash() == signal_suite(**asked).content_hash()
    first, *rest = whole.expectations
    others = [
        signal_suite(**asked | {"horizons": (1,)}),
        signal_suite(**asked | {"features": ("f_a",)}),
        signal_suite(**asked | {"barriers": None}),
        signal_suite(**asked | {"barriers": BarrierRule(sessions=6)}),
        replace(whole, kind="other"),
        replace(whole, expectations=tuple(rest)),
        replace(whole, expectations=(replace(first, severity="warning"), *rest)),
        replace(whole, expectations=(replace(first, low=2), *rest)),
        replace(whole, schema={**whole.schema, "more": "double"}),
    ]
    assert len({one.content_hash() for one in (whole, *others)}) == 1 + len(others)


def test_importing_datasets_does_not_import_great_expectations():
    import subprocess
    import sys

    code = "import sys, ordinis_learn.datasets; print('great_expectations' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
