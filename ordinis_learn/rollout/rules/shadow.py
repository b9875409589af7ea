"""Did it run long enough beside the active version, the same as in batch, and not worse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated

from pydantic import Field

from ordinis_learn.evaluation.confidence_sequence import observations_for_margin
from ordinis_learn.records import DECLARED, ShadowReport
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
    unclear,
)

__all__ = [
    "SHADOW_AFTER_TRAINING",
    "SHADOW_AGREEMENT",
    "SHADOW_DECISIONS",
    "SHADOW_DURATION",
    "SHADOW_NOT_INFERIOR",
    "SHADOW_PARITY",
    "with_report",
]

_RUN_LONGER = "run the shadow over more sessions"


class Duration(Params):
    """Calendar days of market time."""

    at_least_days: Annotated[int, Field(ge=1)]


class Decisions(Params):
    """How many decisions, and which share of them may lack their partner."""

    at_least: Annotated[int, Field(ge=1)]
    max_unpaired_share: Annotated[float, Field(ge=0, lt=1)]


class Parity(Params):
    """How far the score at event time may lie from the batch score."""

    max_abs_diff: Annotated[float, Field(ge=0, le=1e-6)]


class Agreement(Parity):
    """As parity, and at which share of the events kept the candidate may have been silent."""

    max_timeout_share: Annotated[float, Field(ge=0, lt=0.1)]


class Margin(Params):
    """How much more loss (0 to 1 per session) still counts as not inferior."""

    margin: Annotated[float, Field(ge=0, le=0.1)]


def with_report(context: Context, judge: Callable[[ShadowReport], Finding]) -> Finding:
    """Judge the shadow report, where it is about this version beside what is ACTIVE now."""
    evidence = context.evidence
    report = evidence.shadow
    if report is None:
        return blocked("no signed shadow report", "run the version in shadow")
    if report.subject != evidence.subject:
        return blocked("the report is about something else", "run this version in shadow")
    if report.active != evidence.incumbent:
        beside = "nothing" if report.active is None else f"{report.active.name} {report.active.version}"
        now = (
            "nothing"
            if evidence.incumbent is None
            else f"{evidence.incumbent.name} {evidence.incumbent.version}"
        )
        return blocked(f"it ran beside {beside}, ACTIVE is {now}", "run it beside the active version")
    if max(report.created_at, report.end) > context.now + CLOCK_SKEW:
        return blocked("the report lies in the future", "check the shadow runner's clock")
    return judge(report)


def _judge_duration(context: Context, params: Duration) -> Finding:
    def judge(report: ShadowReport) -> Finding:
        days = min(report.calendar_days, (report.end - report.start).days)
        found = f"{days} days, {report.start:%Y-%m-%d} to {report.end:%Y-%m-%d}"
        return passed(found) if days >= params.at_least_days else failed(found, _RUN_LONGER)

    return with_report(context, judge)


def _judge_decisions(context: Context, params: Decisions) -> Finding:
    def judge(report: ShadowReport) -> Finding:
        count = report.decisions if report.active is None else report.paired_decisions
        if count < params.at_least:
            return failed(f"{count}", _RUN_LONGER)
        total = report.paired_decisions + report.unpaired
        if report.active is not None and report.unpaired > params.max_unpaired_share * total:
            return failed(
                f"{report.unpaired} of {total} lack their partner", "find why one of the two did not answer"
            )
        return passed(f"{count}")

    return with_report(context, judge)


def _judge_parity(context: Context, params: Parity) -> Finding:
    def judge(report: ShadowReport) -> Finding:
        return _agrees(report, params, forgiven=0, found=f"{report.errors} errors")

    return with_report(context, judge)


def _judge_agreement(context: Context, params: Agreement) -> Finding:
    def judge(report: ShadowReport) -> Finding:
        figures = report.figures
        timeouts = 0 if figures is None else figures.timeouts or 0
        share = timeouts / figures.events if figures is not None and timeouts else 0.0
        found = f"{report.errors - timeouts} errors, {timeouts} timeouts ({share:.2%})"
        finding = _agrees(report, params, forgiven=timeouts, found=found)
        if finding.verdict == "pass" and share > params.max_timeout_share:
            return failed(
                finding.found,
                "find what keeps it waiting, and let the shadow go on: answers bring the share down",
            )
        return finding

    return with_report(context, judge)


def _agrees(report: ShadowReport, params: Parity, *, forgiven: int, found: str) -> Finding:
    difference = finite(report.parity_max_abs_diff)
    if difference is None or difference < 0:
        return blocked("parity was not measured", "run the shadow again")
    found = f"difference {difference:.2g}, {report.nan_predictions} NaN, {found}"
    if difference <= params.max_abs_diff and report.nan_predictions == 0 and report.errors == forgiven:
        return passed(found)
    return failed(found, "find what the model does differently one session at a time")


def _judge_sample(context: Context, _params: NoParams) -> Finding:
    artifact = context.evidence.artifact

    def judge(report: ShadowReport) -> Finding:
        if artifact is None:
            return blocked("no signed training record", "submit the training statement (training does it)")
        ends = {card.pack_id: card.pack_end for card in context.evidence.scorecards.values()}
        if artifact.data_snapshot_ref != DECLARED:
            ends["training"] = (
                date.fromisoformat(artifact.trained_until[:10]) if artifact.trained_until else None
            )
        unknown = sorted(name for name, end in ends.items() if end is None)
        if unknown or not ends:
            return blocked(f"{', '.join(unknown) or 'nothing'} says until when", "evaluate or train again")
        last, name = max((end, name) for name, end in ends.items() if end is not None)
        found = f"{name} until {last}, shadow from {report.start:%Y-%m-%d}"
        if report.start.date() > last:
            return passed(found)
        return failed(found, "run the shadow over sessions that nothing was fitted or judged on")

    return with_report(context, judge)


def _judge_loss(context: Context, params: Margin) -> Finding:
    def judge(report: ShadowReport) -> Finding:
        interval = report.loss_interval
        low = None if interval is None else finite(interval.low)
        high = None if interval is None else finite(interval.high)
        if interval is None or low is None or high is None or not low <= high or not interval.level >= 0.95:
            return blocked("no anytime-valid interval at 95 %", "run it beside the active version")
        found = f"loss difference in [{low:+.3f}, {high:+.3f}], {report.matured} matured labels"
        if high <= params.margin:
            return passed(found)
        if low > params.margin:
            return failed(found, "it is worse than the active version: do not promote it")
        least = observations_for_margin(params.margin, low=-1.0, high=1.0)
        if report.answers is not None:
            return unclear(
                found, f"run the shadow over more requests: a pack just as good needs {least} or more"
            )
        return unclear(
            found, f"{_RUN_LONGER}: a model that does equally well needs {least} decision sessions or more"
        )

    return with_report(context, judge)


SHADOW_DURATION = Rule(
    name="shadow_duration",
    params=Duration,
    asked=lambda params: f"at least {params.at_least_days} calendar days of market time in shadow",
    judge=_judge_duration,
    source="shadow report",
)

SHADOW_DECISIONS = Rule(
    name="shadow_decisions",
    params=Decisions,
    asked=lambda params: (
        f"at least {params.at_least} decisions, paired with the active version's "
        f"but for {params.max_unpaired_share:.0%}"
    ),
    judge=_judge_decisions,
    source="shadow report",
)

SHADOW_PARITY = Rule(
    name="shadow_parity",
    params=Parity,
    asked=lambda params: (
        f"event-time scores equal batch scores within {params.max_abs_diff:g}, no NaN, no error"
    ),
    judge=_judge_parity,
    source="shadow report",
)

SHADOW_AGREEMENT = Rule(
    name="shadow_agreement",
    params=Agreement,
    asked=lambda params: (
        f"event-time scores equal batch scores within {params.max_abs_diff:g}, no NaN, no error, and silence at "
        f"{params.max_timeout_share:.0%} of the events at most"
    ),
    judge=_judge_agreement,
    source="shadow report",
)

SHADOW_AFTER_TRAINING = Rule(
    name="shadow_after_training",
    params=NoParams,
    asked=lambda _: "the shadow ran on sessions that neither training nor the packs had seen",
    judge=_judge_sample,
    source="shadow report, training statement",
)

SHADOW_NOT_INFERIOR = Rule(
    name="shadow_not_inferior",
    params=Margin,
    asked=lambda params: f"upper end of the anytime-valid loss difference at most {params.margin:g}",
    judge=_judge_loss,
    source="shadow report: confidence sequence",
)
