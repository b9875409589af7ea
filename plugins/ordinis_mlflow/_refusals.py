"""MLflow's errors as ours, by the code that begins their message."""

from __future__ import annotations

import re
from typing import Any, Final

from mlflow.exceptions import MlflowException  # noqa: TID253  a leaf, loaded by name

from ordinis_learn.errors import (
    ArtifactMissing,
    AuditChainBroken,
    AuditWriteFailed,
    ConfigInvalid,
    CoolingDown,
    EvidenceInvalid,
    LearnError,
    PolicyMissing,
    RolloutDenied,
    StoreUnavailable,
)
from ordinis_learn.records import GateDecision
from ordinis_mlflow._failures import masked

__all__ = ["as_learn_error"]

_CODE: Final = re.compile(r"E_[A-Z_]+")
_BY_CODE: Final[dict[str, type[LearnError]]] = {
    error.code: error
    for error in (
        AuditChainBroken,
        AuditWriteFailed,
        ConfigInvalid,
        CoolingDown,
        EvidenceInvalid,
        PolicyMissing,
        RolloutDenied,
    )
}
_BAD_REQUEST: Final = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST"})


def as_learn_error(error: MlflowException, *, asked: str, uri: str) -> LearnError:
    """Return what MLflow raised, in-process or over REST, as an error of ours.

    A refusal by the gate carries ``data["decision"]`` and ``data["message"]``, the whole explanation.
    """
    message = str(error.message).removeprefix(f"{error.error_code}: ")
    decision = _decision_of(error)
    if decision is not None:
        return _denied(decision, asked=asked, message=message)
    found = _CODE.match(message)
    if found is not None and found[0] in _BY_CODE:
        _, _, rest = message.partition(": ")
        what, _, next_step = rest.partition(". Next: ")
        return _BY_CODE[found[0]](asked, found=what, next_step=next_step or "see above", message=message)
    first_line = message.splitlines()[0] if message else error.error_code
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return ArtifactMissing(asked, found=first_line, next_step="ordinis-learn models")
    if error.error_code in _BAD_REQUEST:
        return ConfigInvalid(asked, found=first_line, next_step="correct the value and try again")
    return StoreUnavailable(
        asked, found=first_line, next_step=f"check that {masked(uri)} can be reached, then try again"
    )


def _decision_of(error: MlflowException) -> GateDecision | None:
    facts: dict[str, Any] = getattr(error, "json", None) or error.json_kwargs or {}
    decision = facts.get("decision")
    return None if decision is None else GateDecision.model_validate(decision)


def _denied(decision: GateDecision, *, asked: str, message: str) -> RolloutDenied:
    reasons = [f"{verdict.rule} [{verdict.code}]: {verdict.found}" for verdict in decision.reasons]
    steps = [verdict.next_step for verdict in decision.reasons if verdict.next_step]
    return RolloutDenied(
        asked,
        found="; ".join(reasons),
        next_step="; ".join(dict.fromkeys(steps)) or "see the reasons above",
        decision=decision,
        message=message,
    )
