"""Expectations as plain data, and the verdict on the totals of a dataset.

Every check is a *total*: one number that DuckDB or NumPy computes over all rows, and bounds that Great
Expectations holds it against, all totals in one frame. The rows themselves never reach Great Expectations, so the checks are the same for a
thousand rows and for fifty million. Names say what is wrong when they are not met: ``duplicate(signal_id)``,
``look_ahead(f_x)``.

Great Expectations fails open: an empty suite, an empty frame, nulls and infinite values all pass, and a missing
column looks like bad data. :func:`judge` therefore refuses no rows, a suite without expectations, a total that is
missing or not finite, and an evaluation that raised or did not happen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from ordinis_learn.datasets.extremes import ExtremeRule
from ordinis_learn.records import DatasetValidation, ExpectationResult, hash_of

__all__ = ["EMPTY", "Expectation", "Outcome", "Suite", "judge"]

EMPTY: Final = "empty"
"""The expectation that every suite has: there are rows."""
_DIGITS: Final = 6


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Where one total must lie, both bounds included.

    Parameters
    ----------
    name : str
        What is wrong when it is not met.
    measure : str
        A DuckDB aggregate over the table ``rows``; empty where a rule or the caller of :func:`judge` gives the total.
    rule : ExtremeRule, optional
        In place of a measure: the total follows from the extremes of one column.
    idle : ExtremeRule, optional
        Where it is kept, the measure is zero and is not computed.
    columns : tuple of str
        What measure and rules read; without one of them the expectation is not evaluated.
    low, high : float, optional
        Bounds; at least one.
    severity : str
        ``error`` rejects the dataset, ``warning`` is reported.
    """

    name: str
    measure: str = ""
    rule: ExtremeRule | None = None
    idle: ExtremeRule | None = None
    columns: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One expectation after its evaluation; ``error`` says why it could not be evaluated."""

    name: str
    success: bool
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a kind of dataset must look like: columns with their Arrow types, and expectations.

    Columns beyond those of the schema are allowed.
    """

    kind: str
    schema: Mapping[str, str]
    expectations: tuple[Expectation, ...]

    def content_hash(self) -> str:
        """Return the hash of the suite's canonical JSON."""
        plain = {
            "kind": self.kind,
            "schema": dict(self.schema),
            "expectations": [_plain(entry) for entry in self.expectations],
        }
        return hash_of(plain, domain="ordinis.dataset.suite")


def judge(totals: Mapping[str, float | None], *, suite: Suite) -> DatasetValidation:
    """Hold the totals of a dataset against its suite.

    Parameters
    ----------
    totals : mapping
        A number per expectation's name, as :func:`ordinis_learn.datasets.totals.measure` returns them; None or
        absent where it could not be computed.
    suite : Suite
        Of the dataset's kind.

    Returns
    -------
    DatasetValidation
        ``success`` only if there are rows and every expectation was evaluated, and every one of severity
        ``error`` met. ``failed`` names the errors, ``warnings`` the warnings that were not met; ``error`` tells
        what could not be evaluated.
    """
    expectations = suite.expectations
    problem = _unfit(totals, expectations)
    if problem is not None:
        failed = (EMPTY,) if totals.get(EMPTY) == 0 else ()
        return DatasetValidation(
            success=False, evaluated=0, expected=len(expectations), failed=failed, error=problem
        )
    known = [entry for entry in expectations if _is_number(totals.get(entry.name))]
    from ordinis_learn.datasets._gx import evaluate  # noqa: PLC0415  Great Expectations takes seconds to import

    outcomes = evaluate({entry.name: float(totals[entry.name] or 0) for entry in known}, expectations=known)
    return conclude(outcomes, expectations=expectations, totals=totals)


def conclude(
    outcomes: Sequence[Outcome], *, expectations: Sequence[Expectation], totals: Mapping[str, float | None]
) -> DatasetValidation:
    """Put outcomes and expectations together; whatever has no outcome was not evaluated."""
    found = {outcome.name: outcome for outcome in outcomes if outcome.error is None}
    errors = [f"{outcome.name}: {outcome.error}" for outcome in outcomes if outcome.error is not None]
    absent = [entry.name for entry in expectations if entry.name not in found]
    if absent and not errors:
        errors = [f"not evaluated: {', '.join(absent[:5])}{', ...' if len(absent) > 5 else ''}"]
    checks = tuple(
        _result(entry, outcome=found.get(entry.name), observed=totals.get(entry.name))
        for entry in expectations
    )
    missed = [check for check in checks if check.success is False]
    failed = tuple(check.name for check in missed if check.severity == "error")
    return DatasetValidation(
        success=not failed and not errors,
        evaluated=len(found),
        expected=len(expectations),
        failed=failed,
        error=errors[0] if errors else None,
        warnings=tuple(check.name for check in missed if check.severity == "warning"),
        checks=checks,
    )


def _result(entry: Expectation, *, outcome: Outcome | None, observed: float | None) -> ExpectationResult:
    number = None if observed is None or not math.isfinite(observed) else float(f"{observed:.{_DIGITS}g}")
    return ExpectationResult(
        name=entry.name,
        severity=entry.severity,
        success=None if outcome is None else outcome.success,
        observed=number,
        low=entry.low,
        high=entry.high,
    )


def _unfit(totals: Mapping[str, float | None], expectations: Sequence[Expectation]) -> str | None:
    if not expectations:
        return "the suite has no expectations"
    names = [entry.name for entry in expectations]
    if EMPTY not in names:
        return f"the suite does not ask for rows ({EMPTY!r})"
    if len(set(names)) != len(names):
        return "two expectations have one name"
    boundless = [entry.name for entry in expectations if entry.low is None and entry.high is None]
    if boundless:
        return f"an expectation without bounds cannot fail: {boundless[0]}"
    if not totals.get(EMPTY):
        return "the table has no rows"
    return None


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _plain(entry: Expectation) -> dict[str, object]:
    return asdict(entry) | {"columns": list(entry.columns)}
