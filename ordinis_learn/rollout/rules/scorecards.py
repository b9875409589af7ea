"""Are the scorecards there, recent, and against the right baseline; did the runs go wrong more often."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from ordinis_learn.records import Scorecard
from ordinis_learn.rollout.rules.base import (
    CLOCK_SKEW,
    Context,
    Finding,
    NoParams,
    Params,
    Rule,
    blocked,
    failed,
    finite,
    passed,
)
from ordinis_learn.rollout.rules.packs import compared_packs, each_pack

__all__ = ["BASELINE_IS_INCUMBENT", "ERROR_RATE_NOT_HIGHER", "SCORECARDS_FRESH", "SCORECARDS_PRESENT"]


class Freshness(Params):
    """How old a scorecard may be, in calendar days."""

    max_age_days: Annotated[int, Field(ge=1, le=3650)]


def _judge_presence(context: Context, _params: NoParams) -> Finding:
    return each_pack(context, lambda card: passed(f"{card.windows} windows, {card.sessions} sessions"))


def _judge_freshness(context: Context, params: Freshness) -> Finding:
    def judge(card: Scorecard) -> Finding:
        age = context.now - card.created_at
        if age < -CLOCK_SKEW:
            return blocked(
                f"made in the future, {card.created_at:%Y-%m-%d %H:%M}", "check the evaluator's clock"
            )
        if age > timedelta(days=params.max_age_days):
            return failed(f"{age.days} days old", "evaluate the version again")
        return passed(f"{max(age.days, 0)} days old")

    return each_pack(context, judge)


def _judge_baseline(context: Context, _params: NoParams) -> Finding:
    return compared_packs(context, lambda _card: passed("compared with the active version"))


def _judge_errors(context: Context, _params: NoParams) -> Finding:
    def judge(card: Scorecard) -> Finding:
        rate, baseline = finite(card.error_rate), finite(card.baseline_error_rate)
        if rate is None or baseline is None:
            return blocked("an error rate is undefined", "evaluate the version again")
        found = f"{rate:.4f} against {baseline:.4f}"
        return (
            passed(found)
            if rate <= baseline
            else failed(found, "find what fails in the run, then evaluate again")
        )

    return compared_packs(context, judge)


SCORECARDS_PRESENT = Rule(
    name="scorecards_present",
    params=NoParams,
    asked=lambda _: "a signed scorecard for every required pack",
    judge=_judge_presence,
    source="scorecards",
)

SCORECARDS_FRESH = Rule(
    name="scorecards_fresh",
    params=Freshness,
    asked=lambda params: f"scorecards at most {params.max_age_days} days old",
    judge=_judge_freshness,
    source="scorecards",
)

BASELINE_IS_INCUMBENT = Rule(
    name="scorecard_baseline_is_incumbent",
    params=NoParams,
    asked=lambda _: "scorecards compare with the version that is ACTIVE now",
    judge=_judge_baseline,
    source="scorecards, registry",
)

ERROR_RATE_NOT_HIGHER = Rule(
    name="error_rate_not_higher",
    params=NoParams,
    asked=lambda _: "error rate not higher than the active version's",
    judge=_judge_errors,
    source="scorecards",
)
