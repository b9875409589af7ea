"""What a shadow run measured beyond what the gate's first rules read."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ordinis_learn.records.base import NullableFloat, Record

__all__ = ["PairedRate", "ShadowAnswers", "ShadowFigures", "SideFigures"]


class SideFigures(Record):
    """One of the two models over the counted events. Rates are fractions of the events that it was asked about.

    ``missing`` events lacked a feature that it reads. Latencies are milliseconds of one call, by a clock that only grows, measured
    in the model's own process. ``limit_breaches`` counts by reason code what the desk's risk rules would have refused or cut;
    for the drawdown it counts sessions. ``turnover`` is the mean over decision sessions of the summed sizes of changes of weight,
    exposures are fractions of equity after a decision session. ``rank_ic`` is the mean of Spearman's correlation per session
    over ``rank_ic_sessions`` sessions with matured labels.
    """

    asked: int
    scored: int
    missing: int
    errors: int
    timeouts: int
    nan: int
    error_rate: NullableFloat
    nan_rate: NullableFloat
    calls: int
    latency_ms_p50: NullableFloat
    latency_ms_p95: NullableFloat
    latency_ms_p99: NullableFloat
    limit_breaches: dict[str, int]
    turnover: NullableFloat
    gross_exposure_mean: NullableFloat
    gross_exposure_max: NullableFloat
    net_exposure_mean: NullableFloat
    rank_ic: NullableFloat
    rank_ic_sessions: int
    mean_loss: NullableFloat


class ShadowFigures(Record):
    """What a runner kept up to ``position`` of the event log, and what of it counts.

    ``events`` were kept in all. Left out: ``repeated`` ones (the symbol's session was told before), ``late`` ones (an event of a
    later session had come before), ``ahead`` ones (dated after the clock that saw them), ``outside`` ones (no session, or before
    ``counted_from``), and those ``beside`` another version than the report's: counted by version, "" where
    nothing was active. ``timeouts`` of all kept events the candidate did not answer in time; they are among the report's ``errors``, and None in
    reports of before they were told apart. ``prospective`` of the counted ones were scored before their outcome was known, the others over the past; None in
    reports of before that was counted. ``sequence`` is how many sessions the confidence sequence has seen, ``stride_sessions`` apart.
    """

    position: int
    source: Literal["features", "signals"]
    calendar: str
    counted_from: str
    events: int
    timeouts: Annotated[int | None, Field(exclude_if=lambda value: value is None)] = None
    counted: int
    prospective: Annotated[int | None, Field(exclude_if=lambda value: value is None)] = None
    repeated: int
    late: int
    ahead: int
    outside: int
    empty_sessions: int
    beside: dict[str, int]
    unpaired_rate: NullableFloat
    horizon_sessions: int
    stride_sessions: int
    sequence: int
    candidate: SideFigures
    active: SideFigures | None


class PairedRate(Record):
    """One yes-or-no (or share) of two prompt packs over the same requests, candidate minus active.

    ``gained`` and ``lost`` count the requests on which only the candidate, or only the active one, succeeded (both 0 for a
    share); ``p_value`` is McNemar's, exact and two-sided, for one look at this number of requests, NaN for a share. ``interval`` may
    be looked at after every request.
    """

    pairs: int
    difference: NullableFloat
    gained: int
    lost: int
    p_value: NullableFloat
    low: NullableFloat
    high: NullableFloat
    level: float


class ShadowAnswers(Record):
    """Two prompt packs over the requests that the active one answered.

    ``recorded`` answers of the candidate are events that name its version, ``asked`` ones were asked for afterwards;
    ``unpaired`` requests have none. ``measures`` are over the paired requests, ``unpaired_rate`` over all.
    """

    requests: int
    paired: int
    unpaired: int
    unpaired_rate: NullableFloat
    recorded: int
    asked: int
    candidate: dict[str, NullableFloat]
    active: dict[str, NullableFloat]
    differences: dict[str, PairedRate]
