"""Is it better than the active version, and is that more than luck."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ordinis_learn.records import PairedDifference, Scorecard
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
)
from ordinis_learn.rollout.rules.packs import baseline_metric, compared_packs, each_pack, subject_metric

__all__ = ["DEFLATED_SHARPE", "DELTA_SHARPE", "DRAWDOWN_TOLERANCE", "SHARPE_SIGNIFICANT"]

_AGAIN = "evaluate the version again; docs say when a metric is undefined"


class Difference(Params):
    """The least difference of annualised Sharpe ratios."""

    at_least: float


class Significance(Params):
    """The largest error of the first kind that a test may have been made with."""

    alpha: Annotated[float, Field(gt=0, le=0.1)]


class Probability(Params):
    """The least probability."""

    at_least: Annotated[float, Field(gt=0.5, lt=1)]


class Tolerance(Params):
    """How much deeper the maximum drawdown may be, as a fraction."""

    at_most: Annotated[float, Field(ge=0, lt=1)]


def _judge_delta(context: Context, params: Difference) -> Finding:
    def judge(card: Scorecard) -> Finding:
        subject, baseline = subject_metric(card, "sharpe"), baseline_metric(card, "sharpe")
        if subject is None or baseline is None:
            return blocked("a Sharpe ratio is undefined", _AGAIN)
        found = f"{subject - baseline:+.3f} ({subject:.3f} against {baseline:.3f})"
        if subject - baseline >= params.at_least:
            return passed(found)
        return failed(found, "train a better candidate; the threshold is LEARN_GATE_DELTA_SHARPE")

    return compared_packs(context, judge)


def _judge_significance(context: Context, params: Significance) -> Finding:
    def judge(card: Scorecard) -> Finding:
        test = card.differences.get("sharpe")
        if test is None:
            return blocked("no test of the Sharpe difference", _AGAIN)
        return _judge_test(test, alpha=params.alpha)

    return compared_packs(context, judge)


def _judge_test(test: PairedDifference, *, alpha: float) -> Finding:
    p_value, null, used = finite(test.p_value), finite(test.null), finite(test.alpha)
    if p_value is None or null is None or used is None or finite(test.estimate) is None:
        return blocked("the test is undefined", _AGAIN)
    if null < 0 or used > alpha:
        return blocked(f"tested against {null:g} at {used:g}", f"test against 0 or more at {alpha:g} or less")
    found = (
        f"{test.estimate:+.3f} [{test.interval.low:+.3f}, {test.interval.high:+.3f}], p {p_value:.3f}, "
        f"{test.sessions} sessions; detectable {test.minimum_detectable:.2f}"
    )
    if test.verdict == "fail":
        return failed(found, "it is significantly worse: do not promote it")
    if test.verdict == "pass" and p_value <= used and test.estimate > null:
        return passed(found)
    return unclear(found, "evaluate over more sessions, or train a candidate with a larger edge")


def _judge_deflated(context: Context, params: Probability) -> Finding:
    artifact = context.evidence.artifact

    def judge(card: Scorecard) -> Finding:
        value = finite(card.deflated_sharpe)
        if artifact is None or value is None:
            return blocked("the deflated Sharpe ratio is undefined", _AGAIN)
        tried = artifact.trials + context.evidence.earlier_trials
        if card.trials < tried:
            return blocked(
                f"computed for {card.trials} trials, {tried} were run for this model and the versions before it",
                "evaluate with the trials that were run",
            )
        found = f"{value:.3f} with {card.trials} trials"
        return passed(found) if value >= params.at_least else failed(found, "fewer trials, or a larger edge")

    return each_pack(context, judge)


def _judge_drawdown(context: Context, params: Tolerance) -> Finding:
    def judge(card: Scorecard) -> Finding:
        subject, baseline = subject_metric(card, "max_drawdown"), baseline_metric(card, "max_drawdown")
        if subject is None or baseline is None or subject < 0 or baseline < 0:
            return blocked("a maximum drawdown is undefined", _AGAIN)
        found = f"{subject:.3f} against {baseline:.3f}"
        if subject - baseline <= params.at_most:
            return passed(found)
        return failed(found, "lower the risk of the candidate; the tolerance is LEARN_GATE_MAXDD_TOL")

    return compared_packs(context, judge)


DELTA_SHARPE = Rule(
    name="delta_sharpe",
    params=Difference,
    asked=lambda params: f"annualised Sharpe at least {params.at_least:+g} over the active version",
    judge=_judge_delta,
    source="scorecards: sharpe",
)

SHARPE_SIGNIFICANT = Rule(
    name="sharpe_significant",
    params=Significance,
    asked=lambda params: f"Sharpe difference above zero, one-sided alpha at most {params.alpha:g}",
    judge=_judge_significance,
    source="scorecards: Ledoit & Wolf (2008) bootstrap",
)

DEFLATED_SHARPE = Rule(
    name="deflated_sharpe",
    params=Probability,
    asked=lambda params: f"deflated Sharpe probability at least {params.at_least:g} with every trial counted",
    judge=_judge_deflated,
    source="scorecards: Bailey & López de Prado (2014)",
)

DRAWDOWN_TOLERANCE = Rule(
    name="drawdown_tolerance",
    params=Tolerance,
    asked=lambda params: f"maximum drawdown at most {params.at_most:g} deeper than the active version's",
    judge=_judge_drawdown,
    source="scorecards: max_drawdown",
)
