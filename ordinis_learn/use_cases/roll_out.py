"""Ask the registry for a change of state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import State
from ordinis_learn.rollout.states import parse_stage
from ordinis_learn.use_cases.roll_back import roll_back
from ordinis_learn.use_cases.stages import asked_of_artifact, made_decision, stage
from ordinis_learn.workbench import Workbench

__all__ = ["promote", "roll_out"]


@stage("rollout", asked=asked_of_artifact, made=made_decision)
def roll_out(bench: Workbench, artifact_id: str, target: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for ``target["stage"]`` (default ``LEARN_ROLLOUT_MODE``), or roll back with ``{"rollback": reason}``.

    Returns
    -------
    dict
        ``{"state": …, "decision": …}`` for a transition, ``{"active_version": …}`` for a rollback (None: flat).

    Raises
    ------
    RolloutDenied
        The gate refused; ``data["decision"]`` holds every rule with what it asked and found.
    """
    unknown = set(target) - {"stage", "rollback"}
    if unknown or {"stage", "rollback"} <= set(target):
        raise ConfigInvalid(
            f"roll out {artifact_id} to {dict(target)!r}",
            found=f"keys {sorted(target)}",
            next_step="give {'stage': 'shadow'}, {'stage': 'active'} or {'rollback': 'why'}",
        )
    artifact = bench.catalogue.artifact(artifact_id)
    if "rollback" in target:
        version = roll_back(bench, artifact.name, reason=str(target["rollback"]))
        return {"name": artifact.name, "active_version": version}
    state = parse_stage(str(target.get("stage", bench.settings.learn_rollout_mode)))
    return _move(bench, artifact.name, artifact.version, state=state)


def promote(bench: Workbench, name: str, version: str, *, stage: str) -> dict[str, Any]:
    """Ask for a stage of a version, whoever registered it; one that was made here goes by :func:`roll_out`.

    Raises
    ------
    RolloutDenied
        As :func:`roll_out`.
    """
    for artifact in bench.catalogue.artifacts(name):
        if artifact.version == version:
            return roll_out(bench, artifact.artifact_id, {"stage": stage})
    return _move(bench, name, version, state=parse_stage(stage))


def _move(bench: Workbench, name: str, version: str, *, state: State) -> dict[str, Any]:
    decision = bench.registry.transition(name, version, state)
    return {"name": name, "version": version, "state": state.value, "decision": decision.to_json()}
