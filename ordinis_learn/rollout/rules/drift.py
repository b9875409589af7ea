"""Does an open drift breach stand against the model."""

from __future__ import annotations

from ordinis_learn.errors import DriftBreach
from ordinis_learn.rollout.rules.base import Context, Finding, NoParams, Rule, failed, passed

__all__ = ["NO_DRIFT_BREACH"]


def _judge(context: Context, _params: NoParams) -> Finding:
    if context.evidence.drift_breached is not False:
        return failed("a breach stands", "look at the drift report, retrain, or roll back")
    return passed("none stands")


NO_DRIFT_BREACH = Rule(
    name="no_drift_breach",
    params=NoParams,
    asked=lambda _: "no open drift breach",
    judge=_judge,
    source="drift reports",
    code=DriftBreach.code,
)
