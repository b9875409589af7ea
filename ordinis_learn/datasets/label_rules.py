"""What the labels at one horizon must look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ordinis_learn.datasets.expectations import Expectation
from ordinis_learn.datasets.extremes import ExtremeRule
from ordinis_learn.datasets.rules import DAY_US, above, absurd, inconsistent, midnight, missing, none, unknown
from ordinis_learn.datasets.totals import count_rows_where
from ordinis_learn.labelling import LabelStatus

__all__ = ["LABEL_COLUMNS", "label_rules", "one_class"]

LABEL_COLUMNS: Final = {
    "fwd_ret": "double",
    "signed_ret": "double",
    "risk_adj_ret": "double",
    "net_ret": "double",
    "label_start": "date32[day]",
    "label_end": "date32[day]",
    "label_available_at": "timestamp[us, tz=UTC]",
    "label_status": "string",
    "uniqueness": "double",
}
_RANGES: Final = {
    # A close is positive, so no return is -1; +1,000 % in 20 sessions is no return of a listed share.
    "fwd_ret": (above(-1.0), 10.0),
    "signed_ret": (-10.0, 10.0),
    "net_ret": (-11.0, 11.0),
    "uniqueness": (above(0.0), 1.0),
}
_STATUSES: Final = tuple(status for status in LabelStatus if status is not LabelStatus.NO_VOLATILITY)
_SPLITS: Final = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100)
_SPLIT_TOLERANCE: Final = 0.05
_NO_SPLIT: Final = (-0.45, 0.85)
"""No return in here looks like a split: 1 for 2 less its tolerance, and 2 for 1."""
_MISSED_SPLIT_SHARE: Final = 0.002
"""Real moves of such a size are a tenth as frequent, even over 20 sessions; one unadjusted symbol of 100 is more."""
_MINORITY_SHARE: Final = 0.02
_LABELLED_SHARE: Final = 0.5


def label_rules(horizon: int, *, is_shortest: bool) -> Iterator[Expectation]:
    """Return what is expected of a horizon's labels; evidence is asked of the shortest only."""
    suffix = f"{horizon}d"
    yield from _evidence(suffix, is_shortest=is_shortest)
    for name, (low, high) in _RANGES.items():
        yield absurd(f"{name}_{suffix}", low=low, high=high)
    yield from _splits(suffix)
    yield one_class(suffix, returns=f"fwd_ret_{suffix}")
    yield from _dates(suffix)
    yield from _agreement(suffix, horizon=horizon)


def one_class(name: str, *, returns: str) -> Expectation:
    """Expect that at least 2 % of the returns rise, and 2 % do not."""
    rises = count_rows_where(f"{returns} > 0")
    return Expectation(
        name=f"one_class({name})",
        measure=f"least({rises}, count({returns}) - {rises}) / greatest(count({returns}), 1)",
        columns=(returns,),
        low=_MINORITY_SHARE,
    )


def _evidence(suffix: str, *, is_shortest: bool) -> Iterator[Expectation]:
    ret, weight = f"fwd_ret_{suffix}", f"uniqueness_{suffix}"
    yield Expectation(name=f"no_labels({suffix})", measure=f"count({ret})", columns=(ret,), low=1)
    yield Expectation(
        name=f"few_labels({suffix})",
        measure=f"count({ret}) / greatest(count(*), 1)",
        columns=(ret,),
        low=_LABELLED_SHARE,
        severity="error" if is_shortest else "warning",
    )
    if is_shortest:
        yield Expectation(
            name=f"few_effective_samples({suffix})",
            measure=f"coalesce(sum({weight}) FILTER (WHERE isfinite({weight})), 0) / $minimum_samples",
            columns=(weight,),
            low=1,
        )


def _splits(suffix: str) -> Iterator[Expectation]:
    """Expect few returns of -1/2, -2/3, ... or +100 %, +200 %, ...: what an unadjusted split looks like."""
    ret, (low, high) = f"fwd_ret_{suffix}", _NO_SPLIT
    ratios = " OR ".join(
        f"abs((1 + {ret}) * {factor} - 1) < {_SPLIT_TOLERANCE}"
        for ratio in _SPLITS
        for factor in (str(ratio), f"(1.0 / {ratio})")
    )
    # DuckDB computes the branch for the few rows that reach it only.
    count = count_rows_where(f"CASE WHEN {ret} BETWEEN {low} AND {high} THEN false ELSE {ratios} END")
    idle = ExtremeRule(kind="within", column=ret, low=low, high=high)
    yield Expectation(
        name=f"split_like({suffix})", measure=count, idle=idle, columns=(ret,), high=0, severity="warning"
    )
    yield Expectation(
        name=f"missed_split({suffix})",
        measure=f"{count} / greatest(count({ret}), 1)",
        idle=idle,
        columns=(ret,),
        high=_MISSED_SPLIT_SHARE,
    )


def _dates(suffix: str) -> Iterator[Expectation]:
    ret, start, end, known = (
        f"{name}_{suffix}" for name in ("fwd_ret", "label_start", "label_end", "label_available_at")
    )
    yield none(f"look_ahead({start})", f"{start} <= session", columns=(start, "session"))
    yield none(f"look_ahead({known})", f"{known} <= ts_signal", columns=(known, "ts_signal"))
    late = f"epoch_us(ts_signal) >= {midnight(start)} + 2 * {DAY_US}"
    yield none(f"shuffled_time({suffix})", late, columns=("ts_signal", start))
    yield none(f"backwards({end})", f"{end} <= {start}", columns=(end, start))
    yield none(f"backwards({known})", f"epoch_us({known}) < {midnight(end)}", columns=(known, end))
    undated = f"{ret} IS NOT NULL AND ({start} IS NULL OR {end} IS NULL OR {known} IS NULL)"
    yield none(f"undated({suffix})", undated, columns=(ret, start, end, known))


def _agreement(suffix: str, *, horizon: int) -> Iterator[Expectation]:
    """Expect that what was computed from the return still follows from it."""
    ret, signed, risky, status = (
        f"{name}_{suffix}" for name in ("fwd_ret", "signed_ret", "risk_adj_ret", "label_status")
    )
    torn = f"abs({signed} - direction * {ret}) > 1e-9 OR ({signed} IS NULL) <> ({ret} IS NULL)"
    yield inconsistent(signed, torn, columns=("direction", ret))
    # A volatility of 0 leaves nothing to divide by: there the adjusted return may be missing.
    moved = f"{signed} IS NOT NULL AND volatility > 0"
    torn = (
        f"abs({risky} * volatility * sqrt({horizon}) - {signed}) > 1e-9 OR ({risky} IS NULL AND {moved}) "
        f"OR ({risky} IS NOT NULL AND ({signed} IS NULL OR volatility IS NULL))"
    )
    yield inconsistent(risky, torn, columns=("volatility", signed))
    yield missing(status)
    yield unknown(status, _STATUSES)
    torn = f"({status} = '{LabelStatus.LABELLED}') <> ({ret} IS NOT NULL)"
    yield inconsistent(status, torn, columns=(ret,))
