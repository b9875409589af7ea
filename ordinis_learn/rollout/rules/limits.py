"""Absolute limits, for the first model: there is no active version to beat yet."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ordinis_learn.records import Scorecard
from ordinis_learn.rollout.rules.base import Context, Finding, Params, Rule, blocked, failed, finite, passed
from ordinis_learn.rollout.rules.packs import each_pack, subject_metric

__all__ = ["MAX_DRAWDOWN", "PROBABILISTIC_SHARPE", "SESSIONS"]


class Probability(Params):
    """The least probability that the true Sharpe ratio is above zero."""

    at_least: Annotated[float, Field(gt=0.5, lt=1)]


class Depth(Params):
    """The deepest drawdown, as a positive fraction."""

    at_most: Annotated[float, Field(gt=0, lt=1)]


class Length(Params):
    """The least number of sessions in a scorecard."""

    at_least: Annotated[int, Field(ge=1)]


def _judge_probability(context: Context, params: Probability) -> Finding:
    def judge(card: Scorecard) -> Finding:
        value = finite(card.probabilistic_sharpe)
        if value is None:
            return blocked("the probabilistic Sharpe ratio is undefined", "evaluate over more sessions")
        found = f"{value:.3f}"
        return (
            passed(found) if value >= params.at_least else failed(found, "choose a model with a clearer edge")
        )

    return each_pack(context, judge)


def _judge_depth(context: Context, params: Depth) -> Finding:
    def judge(card: Scorecard) -> Finding:
        value = subject_metric(card, "max_drawdown")
        if value is None or value < 0:
            return blocked("the maximum drawdown is undefined", "evaluate the version again")
        found = f"{value:.3f}"
        return passed(found) if value <= params.at_most else failed(found, "lower the risk of the model")

    return each_pack(context, judge)


def _judge_length(context: Context, params: Length) -> Finding:
    def judge(card: Scorecard) -> Finding:
        found = f"{card.sessions} sessions"
        return (
            passed(found) if card.sessions >= params.at_least else failed(found, "evaluate on a longer pack")
        )

    return each_pack(context, judge)


PROBABILISTIC_SHARPE = Rule(
    name="probabilistic_sharpe",
    params=Probability,
    asked=lambda params: f"probability of a Sharpe ratio above zero at least {params.at_least:g}",
    judge=_judge_probability,
    source="scorecards: Bailey & López de Prado (2012)",
)

MAX_DRAWDOWN = Rule(
    name="max_drawdown",
    params=Depth,
    asked=lambda params: f"maximum drawdown at most {params.at_most:g}",
    judge=_judge_depth,
    source="scorecards: max_drawdown",
)

SESSIONS = Rule(
    name="sessions",
    params=Length,
    asked=lambda params: f"at least {params.at_least} sessions in each scorecard",
    judge=_judge_length,
    source="scorecards: sessions",
)
