"""Great Expectations, asked so that it cannot pass without looking.

Leaf module: importing it imports Great Expectations (2 to 6 s). Load it inside the function that needs it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

with warnings.catch_warnings():
    # Version 1.24 imports the deprecated `sre_constants`, which is no business of our users.
    warnings.simplefilter("ignore", DeprecationWarning)
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

from ordinis_learn.datasets.expectations import Expectation, Outcome

__all__ = ["evaluate", "run_suite"]

_BY_NAME: Final = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["name"],
    "include_unexpected_rows": False,
}


def evaluate(totals: Mapping[str, float], *, expectations: Sequence[Expectation]) -> list[Outcome]:
    """Hold totals against their bounds: a frame with a row per expectation, and one comparison per bound.

    That costs a twelfth of a column and an expectation for each total. Fewer outcomes than expectations mean that
    some were not looked at; the caller counts.
    """
    frame = pd.DataFrame(
        {
            "name": [entry.name for entry in expectations],
            "total": [totals[entry.name] for entry in expectations],
            "low": [-np.inf if entry.low is None else entry.low for entry in expectations],
            "high": [np.inf if entry.high is None else entry.high for entry in expectations],
        }
    )
    configured = [_not_below("total", "low"), _not_below("high", "total")]
    found = [
        _outside(result, names=frame["name"].tolist())
        for result in run_suite(frame, expectations=configured, result_format=_BY_NAME)
    ]
    if len(found) != len(configured):
        return []
    errors = [one for one in found if isinstance(one, str)]
    missed = {name for one in found if not isinstance(one, str) for name in one}
    error = errors[0] if errors else None
    return [Outcome(name=name, success=name not in missed, error=error) for name in frame["name"]]


def run_suite(
    frame: pd.DataFrame,
    *,
    expectations: Sequence[ExpectationConfiguration],
    result_format: str | Mapping[str, Any] = "SUMMARY",
) -> Sequence[Any]:
    """Return Great Expectations' own results for a frame.

    An ephemeral context and a pandas batch: nothing is written. With ``SUMMARY`` no list of rows is collected.
    """
    config = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
    context = gx.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("dataset").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name="suite", expectations=list(expectations))
    results: Sequence[Any] = batch.validate(suite, result_format=result_format).results
    return results


def _not_below(larger: str, smaller: str) -> ExpectationConfiguration:
    return ExpectationConfiguration(
        type="expect_column_pair_values_a_to_be_greater_than_b",
        kwargs={"column_A": larger, "column_B": smaller, "or_equal": True, "ignore_row_if": "neither"},
    )


def _outside(result: Any, *, names: Sequence[str]) -> set[str] | str:
    """Return the names that a comparison found outside their bound, or why it is not known which they are.

    What raised in its evaluation is an error, where Great Expectations reports a failure.
    """
    error = _error(result.exception_info)
    if error is not None:
        return error
    found = result.result
    listed = {entry["name"] for entry in found.get("unexpected_index_list") or ()}
    looked_at = found.get("element_count") == len(names) and found.get("missing_count") == 0
    is_whole = found.get("unexpected_count") == len(listed) and bool(listed) is not bool(result.success)
    if not looked_at or not is_whole or not listed.issubset(names):
        return "the comparison did not answer for every expectation"
    return listed


def _error(info: Mapping[str, Any] | None) -> str | None:
    """Read the two shapes of ``exception_info``: one entry, or one per metric."""
    if not info:
        return "no exception_info: it is not known whether the expectation was evaluated"
    entries = [info] if "raised_exception" in info else list(info.values())
    messages = [
        str(entry.get("exception_message") or "unknown error")
        for entry in entries
        if entry["raised_exception"]
    ]
    return messages[0] if messages else None
