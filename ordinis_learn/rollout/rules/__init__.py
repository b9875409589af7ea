"""The words of the policy language: one rule each, one file per family."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from ordinis_learn.rollout.rules.approvals import APPROVALS, counted_approvers
from ordinis_learn.rollout.rules.base import Context, Rule
from ordinis_learn.rollout.rules.certainty import SHARPE_AFTER_TRIALS, TRACK_RECORD
from ordinis_learn.rollout.rules.drift import NO_DRIFT_BREACH
from ordinis_learn.rollout.rules.edge import (
    DEFLATED_SHARPE,
    DELTA_SHARPE,
    DRAWDOWN_TOLERANCE,
    SHARPE_SIGNIFICANT,
)
from ordinis_learn.rollout.rules.graded import QUESTIONS_GRADED
from ordinis_learn.rollout.rules.integrity import (
    ARTIFACT_INTACT,
    DATASET_ACCEPTED,
    DATASET_CHECKED,
    EVIDENCE_VERIFIED,
)
from ordinis_learn.rollout.rules.judged_with import SCORECARDS_JUDGED_WITH
from ordinis_learn.rollout.rules.limits import MAX_DRAWDOWN, PROBABILISTIC_SHARPE, SESSIONS
from ordinis_learn.rollout.rules.paired import MEASURE_NOT_INFERIOR, MEASURES_SUPERIOR
from ordinis_learn.rollout.rules.requests import REQUESTER_KIND
from ordinis_learn.rollout.rules.runs import RUN_METRIC
from ordinis_learn.rollout.rules.scorecard_metrics import SCORECARD_METRIC
from ordinis_learn.rollout.rules.scorecards import (
    BASELINE_IS_INCUMBENT,
    ERROR_RATE_NOT_HIGHER,
    SCORECARDS_FRESH,
    SCORECARDS_PRESENT,
)
from ordinis_learn.rollout.rules.selection import OVERFITTING
from ordinis_learn.rollout.rules.shadow import (
    SHADOW_AFTER_TRAINING,
    SHADOW_AGREEMENT,
    SHADOW_DECISIONS,
    SHADOW_DURATION,
    SHADOW_NOT_INFERIOR,
    SHADOW_PARITY,
)
from ordinis_learn.rollout.rules.shadow_answers import SHADOW_ANSWERS_NOT_INFERIOR, SHADOW_ERROR_RATE
from ordinis_learn.rollout.rules.superiority import SHARPE_SUPERIOR, SUPERIORITY_FAMILY
from ordinis_learn.rollout.rules.system import LATENCY, QUARANTINE_NOT_HIGHER

__all__ = ["RULES", "Context", "Rule", "counted_approvers"]

_ALL: Final[tuple[Rule[Any], ...]] = (
    APPROVALS,
    ARTIFACT_INTACT,
    BASELINE_IS_INCUMBENT,
    DATASET_ACCEPTED,
    DATASET_CHECKED,
    DEFLATED_SHARPE,
    DELTA_SHARPE,
    DRAWDOWN_TOLERANCE,
    ERROR_RATE_NOT_HIGHER,
    EVIDENCE_VERIFIED,
    LATENCY,
    MAX_DRAWDOWN,
    MEASURES_SUPERIOR,
    MEASURE_NOT_INFERIOR,
    NO_DRIFT_BREACH,
    OVERFITTING,
    PROBABILISTIC_SHARPE,
    QUARANTINE_NOT_HIGHER,
    QUESTIONS_GRADED,
    REQUESTER_KIND,
    RUN_METRIC,
    SCORECARDS_FRESH,
    SCORECARDS_JUDGED_WITH,
    SCORECARDS_PRESENT,
    SCORECARD_METRIC,
    SESSIONS,
    SHADOW_AFTER_TRAINING,
    SHADOW_ANSWERS_NOT_INFERIOR,
    SHADOW_DECISIONS,
    SHADOW_DURATION,
    SHADOW_ERROR_RATE,
    SHADOW_NOT_INFERIOR,
    SHADOW_AGREEMENT,
    SHADOW_PARITY,
    SHARPE_AFTER_TRIALS,
    SHARPE_SIGNIFICANT,
    SHARPE_SUPERIOR,
    SUPERIORITY_FAMILY,
    TRACK_RECORD,
)

RULES: Final[MappingProxyType[str, Rule[Any]]] = MappingProxyType({rule.name: rule for rule in _ALL})
