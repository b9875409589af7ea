"""Did enough people, other than those who made it or ask for it, say yes to exactly this evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, model_validator

from ordinis_learn.errors import ApprovalMissing
from ordinis_learn.records import Approval, State
from ordinis_learn.rollout.names import fold_name
from ordinis_learn.rollout.rules.base import (
    CLOCK_SKEW,
    Context,
    Finding,
    Params,
    Rule,
    blocked,
    failed,
    passed,
)
from ordinis_learn.rollout.tags import GROUP

__all__ = ["APPROVALS", "Approvals", "counted_approvers", "makers"]


class Approvals(Params):
    """How many approvers must have said yes, and for how long a yes holds (at most until it expires).

    ``count`` may be 0: then only a standing refusal matters. ``groups`` says how many of them must come from
    each group; who is in two groups counts for both, and once towards ``count``.
    """

    count: Annotated[int, Field(ge=0, le=20)]
    max_age_days: Annotated[int, Field(ge=1, le=365)]
    groups: dict[Annotated[str, Field(pattern=GROUP)], Annotated[int, Field(ge=1, le=20)]] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _possible(self) -> Approvals:
        if over := sorted(name for name, least in self.groups.items() if least > self.count):
            raise ValueError(f"more approvals asked of {', '.join(over)} than in all: raise count")
        return self


def counted_approvers(context: Context, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return who counts, in order of name."""
    read = Approvals.model_validate(dict(params))
    return _counted(context, read)


def _judge(context: Context, params: Approvals) -> Finding:
    refusals = sorted({a.approver for a in context.evidence.approvals if _stands_against(a, context)})
    if refusals:
        return failed(
            f"refused by {', '.join(refusals)}", "settle it with them: only their own later yes lifts it"
        )
    if params.count and not makers(context):
        return blocked("nobody is named as trainer", "submit the training statement (training does it)")
    counted = _counted(context, params)
    notes = [
        f"{a.approver}'s does not count: {reason}"
        for a in context.evidence.approvals
        if a.answer == "approve" and (reason := _why_not(a, context, max_age_days=params.max_age_days))
    ]
    short = _short_groups(counted, context, params)
    found = "; ".join(
        [
            f"{len(counted)} of {params.count}" + _by(counted),
            *short.values(),
            *context.evidence.voided,
            *notes,
        ]
    )
    if len(counted) >= params.count and not short:
        return passed(found)
    target, subject = context.to_state.value.lower(), context.evidence.subject
    who = f"an approver of {' and '.join(short)}" if short else "an approver"
    return failed(
        found,
        f"let {who} run: ordinis-learn approve {subject.name} {subject.version} --as NAME --target {target}",
    )


def _short_groups(counted: tuple[str, ...], context: Context, params: Approvals) -> dict[str, str]:
    """Return what is missing by group, empty where every group has enough."""
    groups = context.evidence.approver_groups
    present = {name: sum(name in groups.get(who, ()) for who in counted) for name in params.groups}
    return {
        name: f"{present[name]} of {least} from {name}"
        for name, least in sorted(params.groups.items())
        if present[name] < least
    }


def _counted(context: Context, params: Approvals) -> tuple[str, ...]:
    good = {
        fold_name(a.approver): a.approver
        for a in context.evidence.approvals
        if a.answer == "approve" and not _why_not(a, context, max_age_days=params.max_age_days)
    }
    return tuple(sorted(good.values()))


def _stands_against(approval: Approval, context: Context) -> bool:
    """Tell whether an answer blocks.

    A refusal stands whatever becomes of the evidence, else new evidence would be a way round it. One
    against SHADOW stands against ACTIVE too.
    """
    stops = {context.to_state, State.SHADOW} if context.to_state is State.ACTIVE else {context.to_state}
    return approval.answer == "refuse" and approval.target in stops


def _why_not(approval: Approval, context: Context, *, max_age_days: int) -> str:
    """Return why an approval does not count, empty when it does."""
    who, now = fold_name(approval.approver), context.now
    checks = {
        "it is about something else": approval.subject != context.evidence.subject,
        f"it is for {approval.target.value}": approval.target is not context.to_state,
        "the evidence has changed since": approval.evidence_hash != context.evidence_hash,
        "it lies in the future": approval.given_at > now + CLOCK_SKEW,
        "it has expired": now >= min(approval.expires_at, approval.given_at + timedelta(days=max_age_days)),
        "the requester may not approve": who == fold_name(context.requester.name),
        "who trained it may not approve": who in makers(context),
    }
    return next((reason for reason, holds in checks.items() if holds), "")


def makers(context: Context) -> frozenset[str]:
    """Return the folded names of whoever made the model: they judge nothing about it."""
    artifact = context.evidence.artifact
    evidence = context.evidence
    names = (evidence.trained_by, evidence.run_by, "" if artifact is None else artifact.trainer)
    return frozenset(fold_name(name) for name in names if name)


def _by(names: tuple[str, ...]) -> str:
    return f" ({', '.join(names)})" if names else ""


def _asked(params: Approvals) -> str:
    if not params.count:
        return "no refusal stands"
    groups = "".join(f", at least {least} from {name}" for name, least in sorted(params.groups.items()))
    return f"{params.count} approvals of this evidence{groups}, not by requester or trainer; no refusal"


APPROVALS: Rule[Approvals] = Rule(
    name="approvals",
    params=Approvals,
    asked=_asked,
    judge=_judge,
    source="signed approvals",
    code=ApprovalMissing.code,
)
