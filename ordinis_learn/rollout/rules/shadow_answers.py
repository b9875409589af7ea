"""Did a prompt pack's shadow fail to answer, and is a measure of its answers no worse than the active pack's.

Days, the number of paired answers and their usefulness (valid, not refused, not failed) are read by the rules of
:mod:`ordinis_learn.rollout.rules.shadow`, which ask the same of every shadow report.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from ordinis_learn.records import ShadowReport
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
from ordinis_learn.rollout.rules.shadow import with_report

__all__ = ["SHADOW_ANSWERS_NOT_INFERIOR", "SHADOW_ERROR_RATE"]

_LEVEL: Final = 0.95


class ErrorRate(Params):
    """The largest share of answers that failed."""

    at_most: Annotated[float, Field(ge=0, lt=1)]


class AnswersMargin(Params):
    """A measure of paired answers, and how much worse still counts as no worse."""

    name: Literal["schema_valid", "refused", "citation_coverage"]
    margin: Annotated[float, Field(gt=0, le=0.2)]


def _judge_errors(context: Context, params: ErrorRate) -> Finding:
    def judge(report: ShadowReport) -> Finding:
        if report.decisions < 1:
            return blocked("no answers", "run the version in shadow")
        found = f"{report.errors} of {report.decisions} answers failed"
        if report.errors <= params.at_most * report.decisions:
            return passed(found)
        return failed(found, "find why requests fail, then run the shadow again")

    return with_report(context, judge)


def _judge_answers(context: Context, params: AnswersMargin) -> Finding:
    def judge(report: ShadowReport) -> Finding:
        measured = None if report.answers is None else report.answers.differences.get(params.name)
        if measured is None:
            return blocked(f"the report does not compare {params.name}", "run it beside the active pack")
        low, high = finite(measured.low), finite(measured.high)
        if low is None or high is None or not low <= high or not measured.level >= _LEVEL:
            return blocked("no anytime-valid interval at 95 %", "run the shadow over more requests")
        found = f"difference in [{low:+.3f}, {high:+.3f}] over {measured.pairs} paired answers"
        worst, best = (-high, -low) if params.name == "refused" else (low, high)
        if best < -params.margin:
            return failed(found, "it is worse than the active pack: do not promote it")
        if worst >= -params.margin:
            return passed(found)
        return unclear(found, "run the shadow over more requests")

    return with_report(context, judge)


SHADOW_ERROR_RATE: Rule[ErrorRate] = Rule(
    name="shadow_error_rate",
    params=ErrorRate,
    asked=lambda params: f"at most {params.at_most:.1%} of the answers in shadow failed",
    judge=_judge_errors,
    source="shadow report",
)

SHADOW_ANSWERS_NOT_INFERIOR: Rule[AnswersMargin] = Rule(
    name="shadow_answers_not_inferior",
    params=AnswersMargin,
    asked=lambda params: f"{params.name} in shadow worse by at most {params.margin:g}, whenever one looks",
    judge=_judge_answers,
    source="shadow report: confidence sequence",
    about="name",
)
