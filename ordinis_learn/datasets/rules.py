"""The few forms that most expectations have, each with the name that it fails under."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ordinis_learn.datasets.expectations import Expectation
from ordinis_learn.datasets.extremes import ExtremeRule
from ordinis_learn.datasets.totals import count_rows_where

__all__ = ["DAY_US", "above", "absurd", "finite", "inconsistent", "midnight", "missing", "none", "unknown"]

DAY_US: Final = 86_400_000_000


def missing(column: str) -> Expectation:
    """Expect no null."""
    return _of_extremes(f"missing({column})", ExtremeRule(kind="nulls", column=column))


def finite(column: str) -> Expectation:
    """Expect neither NaN nor infinity."""
    return _of_extremes(f"not_finite({column})", ExtremeRule(kind="finite", column=column))


def absurd(column: str, *, low: float | None = None, high: float | None = None) -> Expectation:
    """Expect values within bounds, both included."""
    rule = ExtremeRule(kind="within", column=column, low=low, high=high)
    return _of_extremes(f"absurd({column})", rule)


def above(bound: float) -> float:
    """Return the next larger float: the lowest value that an open bound allows.

    Examples
    --------
    >>> above(-1.0) > -1.0
    True
    """
    return math.nextafter(bound, math.inf)


def none(name: str, predicate: str, *, columns: tuple[str, ...]) -> Expectation:
    """Expect no row of which an SQL predicate is true."""
    return Expectation(name=name, measure=count_rows_where(predicate), columns=columns, high=0)


def unknown(column: str, known: Sequence[str]) -> Expectation:
    """Expect nothing but these words; a null is for :func:`missing`."""
    words = ", ".join(f"'{word}'" for word in known)
    return none(f"unknown({column})", f"{column} NOT IN ({words})", columns=(column,))


def inconsistent(column: str, predicate: str, *, columns: tuple[str, ...]) -> Expectation:
    """Expect no row in which a column contradicts others."""
    return none(f"inconsistent({column})", predicate, columns=(column, *columns))


def midnight(column: str) -> str:
    """Return a date as microseconds since 1970; arithmetic on moments with a zone is ten times slower."""
    return f"(({column} - DATE '1970-01-01') * {DAY_US})"


def _of_extremes(name: str, rule: ExtremeRule) -> Expectation:
    return Expectation(name=name, rule=rule, columns=(rule.column,), high=0)
