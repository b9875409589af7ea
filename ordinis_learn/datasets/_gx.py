"""Great Expectations, asked so that it cannot pass without looking.

Leaf module: importing it imports Great Expectations (2 to 6 s). Load it inside the function that needs it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

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


def evaluate(totals: Mapping[str, float], *, expectations: Sequence[Expectation]) -> list[Outcome]:
    """Hold totals against their bounds, as a frame of one row with a column per expectation.

    Fewer outcomes than expectations mean that some were merged; the caller counts.
    """
    frame = pd.DataFrame({name: [value] for name, value in totals.items()})
    configured = [
        ExpectationConfiguration(
            type="expect_column_max_to_be_between",  # an aggregate: a third of the cost of looking at values
            kwargs={"column": entry.name, "min_value": entry.low, "max_value": entry.high},
        )
        for entry in expectations
    ]
    return [_outcome(result) for result in run_suite(frame, expectations=configured)]


def run_suite(frame: pd.DataFrame, *, expectations: Sequence[ExpectationConfiguration]) -> Sequence[Any]:
    """Return Great Expectations' own results for a frame.

    An ephemeral context and a pandas batch with ``result_format="SUMMARY"``: nothing is written, and no list
    of rows is collected.
    """
    config = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
    context = gx.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("dataset").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name="suite", expectations=list(expectations))
    results: Sequence[Any] = batch.validate(suite, result_format="SUMMARY").results
    return results


def _outcome(result: Any) -> Outcome:
    """Read a result; what raised in its evaluation is an error, where Great Expectations reports a failure."""
    config = result.expectation_config
    return Outcome(
        name=str(config.kwargs["column"]),
        success=bool(result.success),
        error=_error(result.exception_info),
    )


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
