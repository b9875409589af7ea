"""Is the Sharpe ratio itself beyond luck: after all trials, and on a record that is long enough.

Both rules use the 2012 form (variance at the estimate, independent returns), as ``deflated_sharpe`` and
``probabilistic_sharpe`` do, and say beside it what the 2025 form gives. They differ from those in their answer: what is
not shown is inconclusive, and only what is shown to be worse fails.
"""

from __future__ import annotations

import math
from typing import Annotated, Final

from pydantic import Field

from ordinis_learn.evaluation.deflated import periods_for_confidence
from ordinis_learn.evaluation.metrics import SESSIONS_PER_YEAR
from ordinis_learn.evaluation.power import detectable_sharpe
from ordinis_learn.records import Scorecard, ScorecardStatistics
from ordinis_learn.rollout.rules.base import (
    Context,
    Finding,
    Params,
    Rule,
    blocked,
    failed,
    finite,
    passed,
    unclear,
    with_power,
)
from ordinis_learn.rollout.rules.packs import each_pack, subject_metric
from ordinis_learn.rollout.rules.superiority import statistics_of

__all__ = ["SHARPE_AFTER_TRIALS", "TRACK_RECORD"]

_AGAIN: Final = "evaluate the version again; docs/evaluation.md says when a statistic is undefined"


class Confidence(Params):
    """The least confidence."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]


def _judge_trials(context: Context, params: Confidence) -> Finding:
    artifact = context.evidence.artifact

    def judge(card: Scorecard) -> Finding:
        statistics = statistics_of(card)
        if isinstance(statistics, Finding):
            return statistics
        value = finite(statistics.deflated_sharpe_2012)
        if artifact is None or value is None:
            return blocked("the deflated Sharpe ratio is undefined", _AGAIN)
        tried = artifact.trials + context.evidence.earlier_trials
        if card.trials < tried:
            return blocked(
                f"computed for {card.trials} trials, {tried} were run for this model and the versions before it",
                "evaluate with the trials that were run",
            )
        revised = _shown(statistics.deflated_sharpe_2025)
        found = f"{value:.3f} with {card.trials} trials (2012 form; 2025 form {revised})"
        return _answer(card, statistics, value, found=found, confidence=params.confidence)

    return each_pack(context, judge)


def _judge_record(context: Context, params: Confidence) -> Finding:
    def judge(card: Scorecard) -> Finding:
        statistics = statistics_of(card)
        if isinstance(statistics, Finding):
            return statistics
        value = finite(statistics.probabilistic_sharpe_2012)
        if value is None:
            return blocked("the Sharpe ratio's probability is undefined", _AGAIN)
        needed = periods_for_confidence(value, periods=card.sessions, confidence=params.confidence)
        length = f"{needed:,.0f} are enough" if math.isfinite(needed) else "no number is enough"
        revised = _shown(statistics.min_track_record_sessions_2025)
        found = f"{card.sessions:,} sessions, {length} (2012 form; 2025 form {revised})"
        return _answer(card, statistics, value, found=found, confidence=params.confidence)

    return each_pack(context, judge)


def _answer(
    card: Scorecard, statistics: ScorecardStatistics, value: float, *, found: str, confidence: float
) -> Finding:
    """Answer by the probability that the ratio exceeds its benchmark."""
    detectable = _detectable(card, statistics, confidence=confidence)
    if value >= confidence:
        return with_power(passed(found), detectable=detectable)
    if value <= 1.0 - confidence:
        return with_power(
            failed(found, "it is significantly worse: do not promote it"), detectable=detectable
        )
    needed = periods_for_confidence(value, periods=card.sessions, confidence=confidence)
    missing = max(math.ceil(needed) - card.sessions, 1) if math.isfinite(needed) else None
    answer = unclear(found, "evaluate over more sessions, with fewer trials, or a larger edge")
    return with_power(answer, detectable=detectable, sessions_missing=missing)


def _detectable(card: Scorecard, statistics: ScorecardStatistics, *, confidence: float) -> float | None:
    annual = subject_metric(card, "sharpe")
    if annual is None:
        return None
    return finite(
        detectable_sharpe(
            annual / math.sqrt(SESSIONS_PER_YEAR),  # a float, whose overflow is an error and no warning
            sessions=card.sessions,
            skewness=statistics.skewness,
            kurtosis=statistics.kurtosis,
            confidence=confidence,
        )
    )


def _shown(value: float) -> str:
    known = finite(value)
    if known is None:
        return "undefined"
    return f"{known:,.0f}" if known > 1 else f"{known:.3f}"


SHARPE_AFTER_TRIALS: Rule[Confidence] = Rule(
    name="sharpe_after_trials",
    params=Confidence,
    asked=lambda params: (
        f"Sharpe ratio above that of the best worthless trial, confidence {params.confidence:g}, every trial counted"
    ),
    judge=_judge_trials,
    source="scorecards: Bailey & López de Prado (2014), 2012 form",
)

TRACK_RECORD: Rule[Confidence] = Rule(
    name="track_record",
    params=Confidence,
    asked=lambda params: (
        f"a record long enough for a Sharpe ratio above zero at confidence {params.confidence:g}"
    ),
    judge=_judge_record,
    source="scorecards: minimum track record, Bailey & López de Prado (2012)",
)
