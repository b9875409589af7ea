"""What a dataset of labelled signals must look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ordinis_learn.datasets.expectations import EMPTY, Expectation, Suite, judge
from ordinis_learn.datasets.look_ahead import associations
from ordinis_learn.datasets.totals import aggregate, count_rows_where, measure, out_of_order, quoted
from ordinis_learn.labelling import FEATURE_PREFIX
from ordinis_learn.records import DatasetValidation

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
_EXECUTION: Final = {
    "allowed": "bool",
    "order_id": "string",
    "filled_qty": "double",
    "avg_fill_price": "double",
    "fees": "double",
    "slippage": "double",
}
_LABEL: Final = {
    "fwd_ret": "double",
    "signed_ret": "double",
    "risk_adj_ret": "double",
    "net_ret": "double",
    "label_start": "date32[day]",
    "label_end": "date32[day]",
    "label_available_at": "timestamp[us, tz=UTC]",
    "uniqueness": "double",
}
_RANGES: Final = {
    # A close is positive, so no return is -1; +1,000 % in 20 sessions is no return of a listed share.
    "fwd_ret": "min({0}) <= -1 OR max({0}) > 10",
    "signed_ret": "min({0}) < -10 OR max({0}) > 10",
    "net_ret": "min({0}) < -11 OR max({0}) > 11",
    "uniqueness": "min({0}) <= 0 OR max({0}) > 1",
}
_SPLITS: Final = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100)
_SPLIT_TOLERANCE: Final = 0.05
_MISSED_SPLIT_SHARE: Final = 0.002
"""Real moves of such a size are a tenth as frequent, even over 20 sessions; one unadjusted symbol of 100 is more."""
_MINORITY_SHARE: Final = 0.02
_LABELLED_SHARE: Final = 0.5
_DAY_US: Final = 86_400_000_000
_FEATURE_TIME: Final = "ts_features"
"""When a row's features were computed, for datasets that carry it."""


def signal_suite(*, horizons: Sequence[int], features: Sequence[str]) -> Suite:
    """Return the suite of a signal dataset.

    Parameters
    ----------
    horizons : sequence of int
        Label horizons in sessions.
    features : sequence of str
        Column names of the features, with their prefix.
    """
    labels = {f"{name}_{h}d": kind for h in horizons for name, kind in _LABEL.items()}
    schema = {**_KEYS, **_EXECUTION, **labels, **dict.fromkeys(features, "double")}
    shortest = min(horizons)
    expectations = (
        Expectation(name=EMPTY, measure="count(*)", low=1),
        Expectation(name="no_features", low=1),
        Expectation(name="label_among_features", high=0),
        *(Expectation(name=f"wrong_schema({name})", high=0) for name in schema),
        *map(_missing, _KEYS),
        *_key_expectations(),
        *(_not_finite(name) for name, kind in schema.items() if kind == "double"),
        *(entry for feature in features for entry in _feature_expectations(feature)),
        *(entry for h in horizons for entry in _label_expectations(f"{h}d", is_shortest=h == shortest)),
    )
    return Suite(kind="signal", schema=schema, expectations=expectations)


def validate_signals(
    rows: Any, *, horizons: Sequence[int], features: Sequence[str], minimum_samples: int
) -> DatasetValidation:
    """Hold the rows of a signal dataset against its suite.

    Parameters
    ----------
    rows : pa.Table or pyarrow.dataset.Dataset
        All rows.
    horizons, features
        As for :func:`signal_suite`.
    minimum_samples : int
        How many effective samples the shortest horizon must have.
    """
    suite = signal_suite(horizons=horizons, features=features)
    totals = signal_totals(
        rows, suite=suite, horizons=horizons, features=features, minimum_samples=minimum_samples
    )
    return judge(totals, suite=suite)


def signal_totals(
    rows: Any, *, suite: Suite, horizons: Sequence[int], features: Sequence[str], minimum_samples: int
) -> dict[str, float | None]:
    """Return the total of every expectation of a signal dataset, None where it cannot be computed."""
    given = {
        "no_features": float(len(features)),
        "label_among_features": _named_like_labels(features),
        **associations(rows, features=features, horizons=horizons),
        "out_of_order(session)": out_of_order(rows, column="session", within="symbol"),
        f"look_ahead({_FEATURE_TIME})": _known_late(rows),
    }
    return measure(rows, suite=suite, given=given, parameters={"minimum_samples": minimum_samples})


def _known_late(rows: Any) -> float:
    """Count rows whose features are younger than their signal; 0 where the dataset does not say."""
    if _FEATURE_TIME not in rows.schema.names:
        return 0.0
    late = count_rows_where(f"{_FEATURE_TIME} IS NULL OR {_FEATURE_TIME} > ts_signal")
    return aggregate(rows, [late])[0] or 0.0


def _key_expectations() -> Iterator[Expectation]:
    yield Expectation(
        name="duplicate(signal_id)",
        measure='count("signal_id") - count(DISTINCT "signal_id")',
        columns=("signal_id",),
        high=0,
    )
    yield Expectation(name="out_of_order(session)", high=0)
    yield Expectation(name=f"look_ahead({_FEATURE_TIME})", high=0)
    # A session closes less than a day before its date begins in UTC, wherever the venue is.
    early = f"epoch_us(ts_signal) < {_midnight('session')} - {_DAY_US}"
    yield _none("shuffled_time", early, columns=("ts_signal", "session"))
    yield _none("unknown(direction)", "direction NOT IN (-1, 0, 1)", columns=("direction",))
    known = "join_quality NOT IN ('carried', 'intent', 'inferred', 'none')"
    yield _none("unknown(join_quality)", known, columns=("join_quality",))
    yield _absurd("confidence", "min({0}) < 0 OR max({0}) > 1")
    yield _absurd("filled_qty", "min({0}) < 0")
    yield _absurd("avg_fill_price", "min({0}) <= 0")
    yield _absurd("fees", "min({0}) < 0")


def _feature_expectations(feature: str) -> Iterator[Expectation]:
    name = quoted(feature)
    yield _missing(feature)
    constant = f"CASE WHEN max({name}) > min({name}) THEN 0 ELSE 1 END"  # also where all is null
    yield Expectation(name=f"constant({feature})", measure=constant, columns=(feature,), high=0)
    # A ratio to what is allowed; 1 is already too much, and bounds are inclusive.
    yield Expectation(name=f"look_ahead({feature})", high=1 - 1e-9)
    yield Expectation(name=f"suspicious({feature})", high=1 - 1e-9, severity="warning")


def _label_expectations(suffix: str, *, is_shortest: bool) -> Iterator[Expectation]:
    ret, start, end, known = (
        f"{name}_{suffix}" for name in ("fwd_ret", "label_start", "label_end", "label_available_at")
    )
    yield Expectation(name=f"no_labels({suffix})", measure=f"count({ret})", columns=(ret,), low=1)
    yield Expectation(
        name=f"few_labels({suffix})",
        measure=f"count({ret}) / greatest(count(*), 1)",
        columns=(ret,),
        low=_LABELLED_SHARE,
        severity="error" if is_shortest else "warning",
    )
    weight = f"uniqueness_{suffix}"
    if is_shortest:
        yield Expectation(
            name=f"few_effective_samples({suffix})",
            measure=f"coalesce(sum({weight}) FILTER (WHERE isfinite({weight})), 0) / $minimum_samples",
            columns=(weight,),
            low=1,
        )
    for name, outside in _RANGES.items():
        yield _absurd(f"{name}_{suffix}", outside)
    yield from _split_expectations(suffix)
    yield _one_class(suffix)
    yield _none(f"look_ahead({start})", f"{start} <= session", columns=(start, "session"))
    yield _none(f"look_ahead({known})", f"{known} <= ts_signal", columns=(known, "ts_signal"))
    late = f"epoch_us(ts_signal) >= {_midnight(start)} + 2 * {_DAY_US}"
    yield _none(f"shuffled_time({suffix})", late, columns=("ts_signal", start))
    yield _none(f"backwards({end})", f"{end} <= {start}", columns=(end, start))
    yield _none(f"backwards({known})", f"epoch_us({known}) < {_midnight(end)}", columns=(known, end))
    undated = f"{ret} IS NOT NULL AND ({start} IS NULL OR {end} IS NULL OR {known} IS NULL)"
    yield _none(f"undated({suffix})", undated, columns=(ret, start, end, known))
    signed = f"signed_ret_{suffix}"
    torn = f"abs({signed} - direction * {ret}) > 1e-9 OR ({signed} IS NULL) <> ({ret} IS NULL)"
    yield _none(f"inconsistent({signed})", torn, columns=(signed, "direction", ret))


def _split_expectations(suffix: str) -> Iterator[Expectation]:
    """Expect few returns of -1/2, -2/3, ... or +100 %, +200 %, ...: what an unadjusted split looks like."""
    ret = f"fwd_ret_{suffix}"
    ratios = " OR ".join(
        f"abs((1 + {ret}) * {factor} - 1) < {_SPLIT_TOLERANCE}"
        for ratio in _SPLITS
        for factor in (str(ratio), f"(1.0 / {ratio})")
    )
    # DuckDB computes the branch for the few rows that reach it only.
    count = count_rows_where(f"CASE WHEN {ret} BETWEEN -0.45 AND 0.85 THEN false ELSE {ratios} END")
    yield Expectation(name=f"split_like({suffix})", measure=count, columns=(ret,), high=0, severity="warning")
    yield Expectation(
        name=f"missed_split({suffix})",
        measure=f"{count} / greatest(count({ret}), 1)",
        columns=(ret,),
        high=_MISSED_SPLIT_SHARE,
    )


def _one_class(suffix: str) -> Expectation:
    ret = f"fwd_ret_{suffix}"
    rises = count_rows_where(f"{ret} > 0")
    return Expectation(
        name=f"one_class({suffix})",
        measure=f"least({rises}, count({ret}) - {rises}) / greatest(count({ret}), 1)",
        columns=(ret,),
        low=_MINORITY_SHARE,
    )


def _none(name: str, predicate: str, *, columns: tuple[str, ...]) -> Expectation:
    return Expectation(name=name, measure=count_rows_where(predicate), columns=columns, high=0)


def _missing(column: str) -> Expectation:
    measure = f"count(*) - count({quoted(column)})"
    return Expectation(name=f"missing({column})", measure=measure, columns=(column,), high=0)


def _not_finite(column: str) -> Expectation:
    """Expect finite extremes; DuckDB sorts NaN above infinity. Every check by extremes shares one computation."""
    name = quoted(column)
    measure = f"coalesce(NOT (isfinite(min({name})) AND isfinite(max({name}))), false)"
    return Expectation(name=f"not_finite({column})", measure=measure, columns=(column,), high=0)


def _absurd(column: str, outside: str) -> Expectation:
    measure = f"coalesce({outside.format(quoted(column))}, false)"
    return Expectation(name=f"absurd({column})", measure=measure, columns=(column,), high=0)


def _midnight(column: str) -> str:
    """Return a date as microseconds since 1970; arithmetic on moments with a zone is ten times slower."""
    return f"(({column} - DATE '1970-01-01') * {_DAY_US})"


def _named_like_labels(features: Sequence[str]) -> float:
    stems = [name.removeprefix(FEATURE_PREFIX).casefold() for name in features]
    return float(sum(stem.startswith(tuple(_LABEL)) for stem in stems))
