"""What a governance service outside said: it can close the gate and never open it."""

from __future__ import annotations

from typing import Final

from ordinis_learn.errors import GateFailed
from ordinis_learn.records import RuleVerdict
from ordinis_learn.rollout.evidence import Evidence

__all__ = ["judge_preflight"]

_PASSING: Final = frozenset({"allow", "warn"})


def judge_preflight(evidence: Evidence) -> tuple[RuleVerdict, ...]:
    """Return the verdict on its answer; none where nobody outside was asked.

    Only ``allow`` and ``warn`` pass. ``modify`` does not: what would be promoted is this version, unmodified.
    """
    said = evidence.preflight
    if said is None:
        return ()
    passes = said.answer in _PASSING
    unreachable = said.answer == "unreachable"
    return (
        RuleVerdict(
            rule="gov_preflight",
            verdict="pass" if passes else "not_evaluable" if unreachable else "fail",
            code="" if passes else GateFailed.code,
            asked="the governance service answers allow or warn",
            found=f"{said.answer}: {said.reason}" if said.reason else said.answer,
            source=said.source,
            next_step=""
            if passes
            else "see that it runs, or correct GOV_PREFLIGHT_URL"
            if unreachable
            else "settle it there, then ask again",
        ),
    )
