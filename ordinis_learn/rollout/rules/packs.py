"""How rules read scorecards: one finding per required pack, the worst one counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ordinis_learn.records import Scorecard
from ordinis_learn.rollout.rules.base import Context, Finding, VerdictWord, blocked, finite

__all__ = ["baseline_metric", "compared_packs", "each_pack", "subject_metric"]

_WORST_FIRST: Final[tuple[VerdictWord, ...]] = ("not_evaluable", "fail", "inconclusive", "pass")


def each_pack(context: Context, judge: Callable[[Scorecard], Finding]) -> Finding:
    """Judge the scorecard of every pack the policy requires; no pack at all is not evaluable."""
    findings = {pack: _judge_one(context, pack, judge=judge) for pack in context.packs}
    if not findings:
        return blocked("the policy requires no pack", "name at least one pack in the policy")
    worst = min(findings.values(), key=lambda finding: _WORST_FIRST.index(finding.verdict))
    found = "; ".join(f"{pack}: {finding.found}" for pack, finding in findings.items())
    return replace(worst, found=found)


def compared_packs(context: Context, judge: Callable[[Scorecard], Finding]) -> Finding:
    """As :func:`each_pack`, where each scorecard must compare with the model that is ACTIVE now."""

    def judge_comparison(card: Scorecard) -> Finding:
        incumbent = context.evidence.incumbent
        if incumbent is None:
            return blocked("nothing is ACTIVE to compare with", "use the first_model rules")
        if card.baseline != incumbent:
            against = "nothing" if card.baseline is None else f"{card.baseline.name} {card.baseline.version}"
            return blocked(
                f"compared with {against}, ACTIVE is {incumbent.name} {incumbent.version}",
                "evaluate it against the active version",
            )
        return judge(card)

    return each_pack(context, judge_comparison)


def subject_metric(card: Scorecard, name: str) -> float | None:
    """Return a metric of the subject; None where it is undefined or its quality is in doubt."""
    return None if name in card.metric_quality else finite(card.metrics.get(name))


def baseline_metric(card: Scorecard, name: str) -> float | None:
    """Return a metric of the baseline; None where it is undefined."""
    return finite(card.baseline_metrics.get(name))


def _judge_one(context: Context, pack: str, *, judge: Callable[[Scorecard], Finding]) -> Finding:
    card = context.evidence.scorecards.get(pack)
    if card is None:
        return blocked("no signed scorecard", f"evaluate the version on {pack}")
    if card.pack_id != pack or card.subject != context.evidence.subject:
        return blocked("the scorecard is about something else", f"evaluate this version on {pack}")
    return judge(card)
