"""What a scorecard says about chance, beside its metrics: how sure, at what price, by which convention."""

from __future__ import annotations

from typing import Literal

from ordinis_learn.records.base import NullableFloat, Record

__all__ = ["OverfittingFigures", "ScorecardStatistics"]


class OverfittingFigures(Record):
    """Combinatorially symmetric cross-validation over the candidates that the subject was picked from.

    ``probability`` is the share of ``splits`` whose in-sample winner ranks at or below the median out of sample;
    ``candidates`` names the versions, all judged on the same ``sessions``; ``left_out`` says why others are not in it.
    """

    probability: NullableFloat
    loss_probability: NullableFloat
    degradation: NullableFloat
    blocks: int
    splits: int
    sessions: int
    candidates: tuple[str, ...]
    left_out: dict[str, str]


class ScorecardStatistics(Record):
    """The subject's Sharpe ratio under both conventions of its variance, and the tests that belong together.

    Fields that end in ``_2012`` take the variance at the estimate and returns as independent (Bailey & López de
    Prado 2012); those in ``_2025`` take it under the null and with autocorrelation (López de Prado, Lipton &
    Zoonekynd 2025). A track record that no length would complete is NaN. ``adjusted_p_values`` are Holm's over
    the tests of the same name. ``block_coverage`` is how often intervals by each block length held the true difference
    in the calibration that chose it; empty without one. ``overlap`` says what was done with windows that training had seen. ``system``
    holds figures of the run: latencies are milliseconds for one session's rows.
    """

    convention: str
    skewness: NullableFloat
    kurtosis: NullableFloat
    autocorrelation: NullableFloat
    probabilistic_sharpe_2012: NullableFloat
    probabilistic_sharpe_2025: NullableFloat
    deflated_sharpe_2012: NullableFloat
    deflated_sharpe_2025: NullableFloat
    track_record_confidence: float
    min_track_record_sessions_2012: NullableFloat
    min_track_record_sessions_2025: NullableFloat
    p_values: dict[str, NullableFloat]
    adjusted_p_values: dict[str, NullableFloat]
    block_coverage: dict[str, float]
    overlap: Literal["purge", "refuse"]
    system: dict[str, NullableFloat]
    overfitting: OverfittingFigures | None
