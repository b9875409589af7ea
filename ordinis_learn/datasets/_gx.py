"""Great Expectations, asked so that it cannot pass without looking.

Leaf module: importing it imports Great Expectations (2 to 6 s). Load it inside the function that needs it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

with warnings.catch_warnings():
    # Version 1.24 imports the deprecated `sre_constants`, which is no business of our users.
    warnings.simplefilter("ignore", DeprecationWarning)
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

from ordinis_learn.datasets.expectations import Outcome

__all__ = ["evaluate"]


def evaluate(
    columns: Mapping[str, npt.NDArray[Any]], *, expectations: Sequence[Mapping[str, Any]]
) -> list[Outcome]:
    """Evaluate expectations on columns of one length.

    An ephemeral context and a pandas batch with ``result_format="SUMMARY"``: nothing is written, and no list
    of rows is collected. An expectation whose evaluation raised (a missing column, for one) has its error in
    the outcome, where Great Expectations itself reports a plain failure. Fewer outcomes than expectations
    mean that some were merged; the caller counts.
    """
    config = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
    context = gx.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("dataset").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(
        batch_parameters={"dataframe": _frame(columns)}
    )
    suite = gx.ExpectationSuite(
        name="suite",
        expectations=[
            ExpectationConfiguration(type=entry["type"], kwargs=dict(entry["kwargs"]))
            for entry in expectations
        ],
    )
    return [_outcome(result) for result in batch.validate(suite, result_format="SUMMARY").results]


def _frame(columns: Mapping[str, npt.NDArray[Any]]) -> pd.DataFrame:
    return pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})


def _outcome(result: Any) -> Outcome:
    config = result.expectation_config
    named = [str(value) for key, value in config.kwargs.items() if key.startswith("column")]
    return Outcome(
        name=f"{config.type}({', '.join(named)})",
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
