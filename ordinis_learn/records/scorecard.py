"""The evaluation report: a subject against a baseline on one pack."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from ordinis_learn.records.base import NullableFloat, Record, Sha256, UtcDatetime
from ordinis_learn.records.bench import Regime, TradingLimits
from ordinis_learn.records.shadow import ShadowAnswers, ShadowFigures
from ordinis_learn.records.statistics import ScorecardStatistics

__all__ = ["Interval", "ModelRef", "PairedDifference", "RegimeRow", "Scorecard", "ShadowReport", "Verdict"]

Verdict = Literal["pass", "fail", "inconclusive"]


class ModelRef(Record):
    """A registered model version, pinned by its bytes."""

    name: str
    version: str
    artifact_sha256: Sha256


class Interval(Record):
    """A confidence interval; ``level`` is its coverage, e.g. 0.95."""

    low: NullableFloat
    high: NullableFloat
    level: NullableFloat


class PairedDifference(Record):
    """Subject minus baseline, paired by session.

    ``p_value`` is one-sided against "no better than ``null``"; ``verdict`` follows from ``alpha``: pass
    when significantly better, fail when significantly worse, else inconclusive.
    ``minimum_detectable`` is the difference that this many sessions would show with 80 % power.
    """

    metric: str
    estimate: NullableFloat
    interval: Interval
    null: NullableFloat
    p_value: NullableFloat
    alpha: NullableFloat
    method: str
    block_length: int
    draws: int
    minimum_detectable: NullableFloat
    sessions: int
    sessions_needed: NullableFloat
    verdict: Verdict


class RegimeRow(Record):
    """Both models over the windows that carry one regime; NaN where undefined."""

    regime: Regime
    windows: int
    sessions: int
    subject: dict[str, NullableFloat]
    baseline: dict[str, NullableFloat]


class Scorecard(Record):
    """What the gate reads. Undefined metrics are NaN (null in JSON) with a word in ``metric_quality``.

    ``baseline`` is None when there was nothing to compare with; ``differences`` is then empty.
    ``pack_end`` is the pack's last session: a shadow run must lie after it. ``trials`` counts the models fitted for this
    version and for all versions of the name before it.
    ``purged_windows`` were left out because the subject's training labels overlap them.
    ``deflated_sharpe`` is the probability of Bailey & López de Prado (2014), 2012 convention of the variance.
    ``dropped_symbols`` are those that the pack was asked for and does not hold, each with its reason; ``trading`` the limits of
    the backtest where they are not the usual ones. These and ``statistics`` are left out of the JSON where there
    are none, so that cards signed before them keep their bytes.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    subject: ModelRef
    baseline: ModelRef | None
    pack_id: str
    pack_hash: Sha256
    metrics: dict[str, float | None]
    baseline_metrics: dict[str, float | None]
    differences: dict[str, PairedDifference]
    regimes: tuple[RegimeRow, ...]
    windows: int
    purged_windows: tuple[str, ...]
    sessions: int
    pack_end: date | None = None
    trials: int
    probabilistic_sharpe: float | None
    deflated_sharpe: float | None
    errors: int
    error_rate: NullableFloat
    baseline_error_rate: float | None
    metric_quality: dict[str, str]
    fee_bps: float
    slippage_bps: float
    dataset_ref: str
    code_commit: str
    seed: int
    created_at: UtcDatetime
    statistics: Annotated[ScorecardStatistics | None, Field(exclude_if=lambda value: value is None)] = None
    dropped_symbols: dict[str, str] = Field(default_factory=dict, exclude_if=lambda value: not value)
    trading: Annotated[TradingLimits | None, Field(exclude_if=lambda value: value is None)] = None


class ShadowReport(Record):
    """A candidate beside the active model on the same events, over sessions ``start``..``end``.

    ``parity_max_abs_diff`` compares the score at event time with the batch score of the same rows.
    ``loss_difference`` is candidate minus active in the loss (1 − direction · realised sign) / 2, over matured labels
    that do not overlap, with an anytime-valid interval; None without an active model. ``figures`` are a runner's; a
    replay of a span, and reports of before, have none. ``answers`` are those of a prompt pack: its decisions are answers, its loss is 1 for one that is of no use
    (invalid, refused or failed), and parity is not defined, which is NaN.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    subject: ModelRef
    active: ModelRef | None
    start: UtcDatetime
    end: UtcDatetime
    calendar_days: int
    sessions: int
    decisions: int
    paired_decisions: int
    unpaired: int
    errors: int
    nan_predictions: int
    matured: int
    parity_max_abs_diff: NullableFloat
    latency_ms_p50: NullableFloat
    latency_ms_p95: NullableFloat
    loss_difference: float | None
    loss_interval: Interval | None
    predictions_sha256: Sha256
    created_at: UtcDatetime
    figures: Annotated[ShadowFigures | None, Field(exclude_if=lambda value: value is None)] = None
    answers: Annotated[ShadowAnswers | None, Field(exclude_if=lambda value: value is None)] = None
