"""What a dataset must look like, as code, and the verdict on one.

Two tiers: the *manifest* tier looks at one row of totals, the *row* tier at every value, up to
:data:`ROW_TIER_MAX_ROWS` rows. Suites are plain data, so their canonical JSON can be hashed into the manifest.

Great Expectations fails open: an empty suite, an empty frame and infinite values all pass, and a missing
column looks like bad data. :func:`validate` therefore demands rows, looks for non-finite values itself, and
refuses unless every expectation was evaluated without an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.records import DatasetValidation, hash_of

__all__ = ["ROW_TIER_MAX_ROWS", "Expectation", "Outcome", "Suite", "signal_suite", "totals", "validate"]

ROW_TIER_MAX_ROWS: Final = 10_000_000
_DAY_US: Final = 86_400_000_000

Expectation = dict[str, Any]
"""``{"type": ..., "kwargs": {...}}``, as Great Expectations names them."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One expectation after its evaluation; ``error`` says why it could not be evaluated."""

    name: str
    success: bool
    error: str | None


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The expectations of both tiers."""

    manifest: tuple[Expectation, ...]
    rows: tuple[Expectation, ...]

    def content_hash(self) -> str:
        """Return the hash of the suite's canonical JSON."""
        return hash_of(
            {"manifest": list(self.manifest), "rows": list(self.rows)}, domain="ordinis.dataset.suite"
        )


def signal_suite(*, horizons: Sequence[int], features: Sequence[str]) -> Suite:
    """Return the suite of a signal dataset.

    Dates and times reach Great Expectations as days since 1970 (fractions for times of day).

    Parameters
    ----------
    horizons : sequence of int
        Label horizons in sessions.
    features : sequence of str
        Column names of the features, with their prefix.
    """
    shortest = min(horizons)
    manifest = (
        _between("rows", low=1),
        _between("features", low=1),
        _equal("distinct_signal_ids", "rows"),
        _between("look_ahead_rows", low=0, high=0),
        _between(f"label_share_{shortest}d", low=0.5, high=1.0),
        _above(f"effective_samples_{shortest}d", "minimum_samples", or_equal=True),
    )
    labels = [expectation for horizon in horizons for expectation in _label_expectations(f"{horizon}d")]
    return Suite(manifest=manifest, rows=(*_key_expectations(), *map(_present, features), *labels))


def totals(
    table: pa.Table, *, horizons: Sequence[int], features: int, minimum_samples: int
) -> dict[str, float]:
    """Return the one row that the manifest tier looks at.

    ``look_ahead_rows`` counts labels that start no later than the signal's session or that were available no
    later than the signal.
    """
    row: dict[str, float] = {
        "rows": table.num_rows,
        "features": features,
        "distinct_signal_ids": pc.count_distinct(table["signal_id"]).as_py(),
        "minimum_samples": minimum_samples,
        "look_ahead_rows": 0,
    }
    for horizon in horizons:
        labelled = table.num_rows - table[f"fwd_ret_{horizon}d"].null_count
        row[f"label_share_{horizon}d"] = labelled / max(table.num_rows, 1)
        row[f"effective_samples_{horizon}d"] = pc.sum(table[f"uniqueness_{horizon}d"]).as_py() or 0.0
        early = pc.or_kleene(
            pc.less_equal(table[f"label_start_{horizon}d"], table["session"]),
            pc.less_equal(table[f"label_available_at_{horizon}d"], table["ts_signal"]),
        )
        row["look_ahead_rows"] += pc.sum(early).as_py() or 0
    return row


def validate(table: pa.Table, *, suite: Suite, row: Mapping[str, float]) -> DatasetValidation:
    """Hold a dataset against its suite.

    Parameters
    ----------
    table : pa.Table
        The rows.
    suite : Suite
        From :func:`signal_suite`.
    row : mapping
        From :func:`totals`.

    Returns
    -------
    DatasetValidation
        ``success`` only if there are rows, all floats are finite or null, and every expectation was evaluated
        and met. ``error`` tells what could not be evaluated; ``failed`` names what was not met.
    """
    tiers = [(suite.manifest, {name: np.array([value], dtype=np.float64) for name, value in row.items()})]
    if table.num_rows <= ROW_TIER_MAX_ROWS:
        tiers.append((suite.rows, _plain_columns(table)))
    expected = sum(len(expectations) for expectations, _ in tiers)
    failed = [f"finite({name})" for name in _not_finite(table)]
    problem = _unfit(table, tiers=[expectations for expectations, _ in tiers])
    if problem is not None:
        return DatasetValidation(
            success=False, evaluated=0, expected=expected, failed=tuple(failed), error=problem
        )
    from ordinis_learn.datasets._gx import evaluate  # noqa: PLC0415  Great Expectations takes seconds to import

    outcomes = [
        item for expectations, columns in tiers for item in evaluate(columns, expectations=expectations)
    ]
    return _conclude(outcomes, expected=expected, not_finite=failed)


def _conclude(
    outcomes: Sequence[Outcome], *, expected: int, not_finite: Sequence[str] = ()
) -> DatasetValidation:
    errors = [f"{item.name}: {item.error}" for item in outcomes if item.error is not None]
    evaluated = len(outcomes) - len(errors)
    if evaluated != expected and not errors:
        errors.append(f"{evaluated} of {expected} expectations were evaluated")
    failed = (*not_finite, *(item.name for item in outcomes if item.error is None and not item.success))
    return DatasetValidation(
        success=not failed and not errors,
        evaluated=evaluated,
        expected=expected,
        failed=failed,
        error=errors[0] if errors else None,
    )


def _key_expectations() -> tuple[Expectation, ...]:
    keys = ("signal_id", "symbol", "session", "ts_signal", "direction", "confidence", "model_id")
    return (
        _expect("expect_column_values_to_be_unique", column="signal_id"),
        *map(_present, (*keys, "strategy_id", "feature_version", "join_quality")),
        _expect("expect_column_values_to_be_increasing", column="session"),
        _expect("expect_column_values_to_be_in_set", column="direction", value_set=[-1, 0, 1]),
        _expect(
            "expect_column_values_to_be_in_set",
            column="join_quality",
            value_set=["carried", "intent", "inferred", "none"],
        ),
        _between("confidence", low=0.0, high=1.0),
        _between("filled_qty", low=0.0),
        _between("avg_fill_price", low=0.0, strict_min=True),
        _between("fees", low=0.0),
    )


def _label_expectations(suffix: str) -> tuple[Expectation, ...]:
    return (
        # A close is positive, so no return is -1; +1,000 % in 20 sessions is a missed split.
        _between(f"fwd_ret_{suffix}", low=-1.0, high=10.0, strict_min=True),
        _between(f"signed_ret_{suffix}", low=-10.0, high=10.0),
        _between(f"net_ret_{suffix}", low=-11.0, high=11.0),
        _between(f"uniqueness_{suffix}", low=0.0, high=1.0, strict_min=True),
        _above(f"label_start_{suffix}", "session"),
        _above(f"label_end_{suffix}", f"label_start_{suffix}"),
        _above(f"label_available_at_{suffix}", f"label_end_{suffix}", or_equal=True),
        _above(f"label_available_at_{suffix}", "ts_signal"),
    )


def _expect(kind: str, **kwargs: Any) -> Expectation:
    return {"type": kind, "kwargs": kwargs}


def _present(column: str) -> Expectation:
    return _expect("expect_column_values_to_not_be_null", column=column)


def _between(
    column: str, *, low: float | None = None, high: float | None = None, strict_min: bool = False
) -> Expectation:
    return _expect(
        "expect_column_values_to_be_between",
        column=column,
        min_value=low,
        max_value=high,
        strict_min=strict_min,
    )


def _equal(left: str, right: str) -> Expectation:
    return _expect("expect_column_pair_values_to_be_equal", column_A=left, column_B=right)


def _above(larger: str, smaller: str, *, or_equal: bool = False) -> Expectation:
    return _expect(
        "expect_column_pair_values_a_to_be_greater_than_b",
        column_A=larger,
        column_B=smaller,
        or_equal=or_equal,
        ignore_row_if="either_value_is_missing",
    )


def _unfit(table: pa.Table, *, tiers: Sequence[Sequence[Expectation]]) -> str | None:
    if table.num_rows == 0:
        return "the table has no rows"
    if not all(tiers):
        return "a tier of the suite has no expectations"
    return None


def _not_finite(table: pa.Table) -> list[str]:
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    return [name for name in floats if pc.any(pc.invert(pc.is_finite(table[name]))).as_py()]


def _plain_columns(table: pa.Table) -> dict[str, npt.NDArray[Any]]:
    """Return columns as floats (NaN for null; days since 1970 for times) or objects (strings)."""
    return {name: _plain(table[name]) for name in table.column_names}


def _plain(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(column.type):
        column = pc.divide(column.cast(pa.int64()).cast(pa.float64()), float(_DAY_US))
    if pa.types.is_string(column.type) or pa.types.is_boolean(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
