"""States, policy, gate, evidence, keys and statements: pure decisions, no SQL and no MLflow.

The shadow runner is imported from :mod:`ordinis_learn.rollout.shadow` by itself: it needs the numeric stack, and
what enforces the gate does not.
"""

from ordinis_learn.rollout.evidence import Evidence, check_statement, evidence_hash, read_evidence
from ordinis_learn.rollout.gate import decide, explain
from ordinis_learn.rollout.keys import KeyStore, PublicKey
from ordinis_learn.rollout.policy import Policy, governs, load_policy
from ordinis_learn.rollout.statements import VerifiedStatement, sign, verify
from ordinis_learn.rollout.states import (
    ALLOWED_MOVES,
    GOVERNED_ALIASES,
    check_move,
    is_governed_alias,
    mlflow_stage,
    parse_stage,
)
from ordinis_learn.rollout.tags import (
    SHADOW_TAG,
    TRAINING_TAG,
    approval_tag,
    is_governed_tag,
    kind_of,
    scorecard_tag,
)

__all__ = [
    "ALLOWED_MOVES",
    "GOVERNED_ALIASES",
    "SHADOW_TAG",
    "TRAINING_TAG",
    "Evidence",
    "KeyStore",
    "Policy",
    "PublicKey",
    "VerifiedStatement",
    "approval_tag",
    "check_move",
    "check_statement",
    "decide",
    "evidence_hash",
    "explain",
    "governs",
    "is_governed_alias",
    "is_governed_tag",
    "kind_of",
    "load_policy",
    "mlflow_stage",
    "parse_stage",
    "read_evidence",
    "scorecard_tag",
    "sign",
    "verify",
]
