"""Set a rule aside for a while: two people sign, name a compensating control, and the ledger keeps it.

A waiver changes no verdict. It lets one version make one move although a rule did not pass, as long as it has not
expired and the evidence is the one its signers saw. Breaking the glass is a waiver of every waivable rule, with
a short limit of its own. What makes the rest believable is never waived: intact bytes, verified evidence,
approvals, the life cycle itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from ordinis_learn.records import Record, RuleVerdict, Waiver, WaiverGrant
from ordinis_learn.rollout.names import fold_name
from ordinis_learn.rollout.rules.approvals import makers
from ordinis_learn.rollout.rules.base import CLOCK_SKEW, Context

__all__ = ["BREAK_GLASS", "NEVER_WAIVED", "Waived", "WaiverRules", "apply_waivers"]

BREAK_GLASS: Final = "break_glass"
"""Named in place of a rule, it covers every rule that can be waived."""

NEVER_WAIVED: Final = frozenset(
    {
        "allowed_move",
        "approvals",
        "artifact_intact",
        "evidence_verified",
        "gov_preflight",
        "policy_covers",
        "requester_kind",
    }
)
_SIGNERS: Final = 2


class WaiverRules(Record):
    """How long a waiver holds at most, whatever its signers wrote."""

    max_days: Annotated[int, Field(ge=1, le=90)]
    break_glass_hours: Annotated[int, Field(ge=1, le=72)]

    def expiry(self, grant: WaiverGrant) -> datetime:
        """Return when a grant ends."""
        glass = grant.rule == BREAK_GLASS
        most = timedelta(hours=self.break_glass_hours) if glass else timedelta(days=self.max_days)
        return min(grant.expires_at, grant.granted_at + most)


@dataclass(frozen=True, kw_only=True)
class Waived:
    """The waivers that set a failed rule aside, which rules those are, and why other grants do not count."""

    waivers: tuple[Waiver, ...] = ()
    rules: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def apply_waivers(context: Context, verdicts: Sequence[RuleVerdict], *, rules: WaiverRules | None) -> Waived:
    """Find the waivers that cover rules which did not pass; none where the policy has no rules for them."""
    if not context.evidence.grants:
        return Waived()
    if rules is None:
        return Waived(notes=("the policy knows no waivers",))
    good: dict[str, dict[str, WaiverGrant]] = {}
    notes = []
    for grant in sorted(context.evidence.grants, key=lambda grant: grant.granted_by):
        if why := _why_not(grant, context, rules=rules):
            notes.append(f"{grant.granted_by}'s waiver of {grant.rule} does not count: {why}")
        else:
            good.setdefault(grant.rule, {})[fold_name(grant.granted_by)] = grant
    waivers = {
        name: _joined(list(grants.values()), rules=rules)
        for name, grants in good.items()
        if len(grants) >= _SIGNERS
    }
    notes += [
        f"the waiver of {name} has 1 of {_SIGNERS} signatures" for name in sorted(set(good) - set(waivers))
    ]
    covered = {
        verdict.rule: verdict.rule if verdict.rule in waivers else BREAK_GLASS
        for verdict in verdicts
        if not verdict.passed
        and verdict.rule not in NEVER_WAIVED
        and {verdict.rule, BREAK_GLASS} & set(waivers)
    }
    used = sorted(set(covered.values()))
    return Waived(waivers=tuple(waivers[name] for name in used), rules=frozenset(covered), notes=tuple(notes))


def _why_not(grant: WaiverGrant, context: Context, *, rules: WaiverRules) -> str:
    """Return why a grant does not count, empty when it does."""
    who = fold_name(grant.granted_by)
    checks = {
        "the rule can never be waived": grant.rule in NEVER_WAIVED,
        f"it is for {grant.target.value}": grant.target is not context.to_state,
        "the evidence has changed since": grant.evidence_hash != context.evidence_hash,
        "it lies in the future": grant.granted_at > context.now + CLOCK_SKEW,
        "it has expired": context.now >= rules.expiry(grant),
        "the requester may not waive": who == fold_name(context.requester.name),
        "who trained it may not waive": who in makers(context),
    }
    return next((reason for reason, holds in checks.items() if holds), "")


def _joined(grants: Sequence[WaiverGrant], *, rules: WaiverRules) -> Waiver:
    """Return the waiver that two people's grants make: it ends when the first of them does."""
    first, second = grants[:_SIGNERS]
    return Waiver(
        subject=first.subject,
        rule=first.rule,
        reason="; ".join(dict.fromkeys((first.reason, second.reason))),
        compensating_control="; ".join(
            dict.fromkeys((first.compensating_control, second.compensating_control))
        ),
        granted_by=(first.granted_by, second.granted_by),
        granted_at=max(first.granted_at, second.granted_at),
        expires_at=min(rules.expiry(first), rules.expiry(second)),
    )
