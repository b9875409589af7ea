"""What a dataset of labelled signals must look like."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from ordinis_learn.datasets.barrier_rules import BARRIER_SCHEMA, barrier_rules
from ordinis_learn.datasets.execution_rules import EXECUTION_SCHEMA, execution_rules
from ordinis_learn.datasets.expectations import EMPTY, Expectation, Suite, judge
from ordinis_learn.datasets.extremes import ExtremeRule
from ordinis_learn.datasets.label_rules import LABEL_COLUMNS, label_rules
from ordinis_learn.datasets.look_ahead import associations
from ordinis_learn.datasets.repeats import repeats
from ordinis_learn.datasets.rules import DAY_US, absurd, finite, midnight, missing, none
from ordinis_learn.datasets.totals import aggregate, count_rows_where, measure, out_of_order
from ordinis_learn.labelling import FEATURE_PREFIX
from ordinis_learn.records import BarrierRule, DatasetValidation

__all__ = ["signal_suite", "signal_totals", "validate_signals"]

_KEYS: Final = {
    "signal_id": "string",
    "symbol": "string",
    "session": "date32[day]",
    "ts_signal": "timestamp[us, tz=UTC]",
    "direction": "int8",
    "confidence": "double",
    "model_id": "string",
    "strategy_id": "string",
    "feature_version": "string",
    "join_quality": "string",
}
_MOST_VOLATILE: Final = 2.0
"""Per session: a price that moves by a factor of seven from one close to the next, and that for weeks."""
_FEATURE_TIME: Final = "ts_features"
"""When a row's features were computed, for datasets that carry it."""
_NAMED_LIKE: Final = (*LABEL_COLUMNS, *BARRIER_SCHEMA, "realised_")


def signal_suite(*, horizons: Sequence[int], features: Sequence[str], barriers: BarrierRule | None) -> Suite:
    """Return the suite of a signal dataset.

    Parameters
    ----------
    horizons : sequence of int
        Label horizons in sessions.
    features : sequence of str
        Column names of the features, with their prefix.
    barriers : BarrierRule or None
        Of the window; None where it has no triple-barrier labels.
    """
    labels = {f"{name}_{h}d": kind for h in horizons for name, kind in LABEL_COLUMNS.items()}
    touched = {} if barriers is None else BARRIER_SCHEMA
    schema = {**_KEYS, "volatility": "double", **EXECUTION_SCHEMA, **labels, **touched}
    schema |= dict.fromkeys(features, "double")
    shortest = min(horizons)
    expectations = (
        Expectation(name=EMPTY, measure="count(*)", low=1),
        Expectation(name="no_features", low=1),
        Expectation(name="label_among_features", high=0),
        *(Expectation(name=f"wrong_schema({name})", high=0) for name in schema),
        *map(missing, _KEYS),
        *_key_expectations(),
        *execution_rules(),
        *(finite(name) for name, kind in schema.items() if kind == "double"),
        *(entry for feature in features for entry in _feature_expectations(feature)),
        *(entry for h in horizons for entry in label_rules(h, is_shortest=h == shortest)),
        *(() if barriers is None else barrier_rules(barriers, horizons=horizons)),
    )
    return Suite(kind="signal", schema=schema, expectations=expectations)


def validate_signals(
    rows: Any,
    *,
    horizons: Sequence[int],
    features: Sequence[str],
    barriers: BarrierRule | None,
    minimum_samples: int,
) -> DatasetValidation:
    """Hold the rows of a signal dataset against its suite.

    Parameters
    ----------
    rows : pa.Table or pyarrow.dataset.Dataset
        All rows.
    horizons, features, barriers
        As for :func:`signal_suite`.
    minimum_samples : int
        How many effective samples the shortest horizon must have.
    """
    suite = signal_suite(horizons=horizons, features=features, barriers=barriers)
    totals = signal_totals(
        rows, suite=suite, horizons=horizons, features=features, minimum_samples=minimum_samples
    )
    return judge(totals, suite=suite)


def signal_totals(
    rows: Any, *, suite: Suite, horizons: Sequence[int], features: Sequence[str], minimum_samples: int
) -> dict[str, float | None]:
    """Return the total of every expectation of a signal dataset, None where it cannot be computed."""
    given: dict[str, float | None] = {
        "no_features": float(len(features)),
        "label_among_features": _named_like_labels(features),
    }
    parameters = {"minimum_samples": minimum_samples}
    works: tuple[Callable[[], Mapping[str, float | None]], ...] = (
        partial(measure, rows, suite=suite, given=given, parameters=parameters),
        partial(associations, rows, features=features, horizons=horizons),
        lambda: {"duplicate(signal_id)": repeats(rows, column="signal_id")},
        lambda: {"out_of_order(session)": out_of_order(rows, column="session", within="symbol")},
        lambda: {f"look_ahead({_FEATURE_TIME})": _known_late(rows)},
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = [pool.submit(work) for work in works]
        return {name: total for part in parts for name, total in part.result().items()}


def _known_late(rows: Any) -> float:
    """Count rows whose features are younger than their signal; 0 where the dataset does not say."""
    if _FEATURE_TIME not in rows.schema.names:
        return 0.0
    late = count_rows_where(f"{_FEATURE_TIME} IS NULL OR {_FEATURE_TIME} > ts_signal")
    return aggregate(rows, [late])[0] or 0.0


def _key_expectations() -> Iterator[Expectation]:
    yield Expectation(name="duplicate(signal_id)", high=0)
    yield Expectation(name="out_of_order(session)", high=0)
    yield Expectation(name=f"look_ahead({_FEATURE_TIME})", high=0)
    # A session closes less than a day before its date begins in UTC, wherever the venue is.
    early = f"epoch_us(ts_signal) < {midnight('session')} - {DAY_US}"
    yield none("shuffled_time", early, columns=("ts_signal", "session"))
    sides = ExtremeRule(kind="within", column="direction", low=-1, high=1)
    yield Expectation(name="unknown(direction)", rule=sides, columns=("direction",), high=0)
    yield absurd("confidence", low=0.0, high=1.0)
    yield absurd("volatility", low=0.0, high=_MOST_VOLATILE)


def _feature_expectations(feature: str) -> Iterator[Expectation]:
    yield missing(feature)
    varies = ExtremeRule(kind="varies", column=feature)  # not where all is null
    yield Expectation(name=f"constant({feature})", rule=varies, columns=(feature,), high=0)
    # A ratio to what is allowed; 1 is already too much, and bounds are inclusive.
    yield Expectation(name=f"look_ahead({feature})", high=1 - 1e-9)
    yield Expectation(name=f"suspicious({feature})", high=1 - 1e-9, severity="warning")


def _named_like_labels(features: Sequence[str]) -> float:
    stems = [name.removeprefix(FEATURE_PREFIX).casefold() for name in features]
    return float(sum(stem.startswith(_NAMED_LIKE) for stem in stems))
