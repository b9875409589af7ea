"""Look at policies before they decide: what one says, whether a file is one, what it would have changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ordinis_learn.rollout.policy import Policy, load_policy, packaged_policies
from ordinis_learn.rollout.rules import RULES
from ordinis_learn.settings import Settings
from ordinis_learn.workbench import Workbench

__all__ = ["describe_policy", "read_policy_file", "what_if"]


def read_policy_file(path: Path, *, settings: Settings) -> Policy:
    """Read a policy from a file, whose stem must be its ``policy_id``, or one of the package by its bare id.

    Raises
    ------
    PolicyMissing
        The file cannot be read.
    ConfigInvalid
        It is not a policy, or it would let a model become ACTIVE unseen.
    """
    if str(path) in packaged_policies():
        return load_policy(str(path), settings=settings)
    return load_policy(path.stem, settings=settings, folder=path.parent)


def describe_policy(policy: Policy) -> str:
    """Return a policy as plain text: each rule of each move with what it asks for."""
    lines = [f"{policy.policy_id}  {policy.policy_hash}", policy.description.strip()]
    lines.append(f"governs {', '.join(policy.governs.names)}; packs {', '.join(policy.packs) or 'none'}")
    if policy.waivers is not None:
        limits = policy.waivers
        lines.append(f"waivers up to {limits.max_days} days, break-glass {limits.break_glass_hours} hours")
    for model_type, moves in policy.rules.items():
        for move, sets in (("shadow", moves.shadow), ("active", moves.active)):
            for which, specs in (("default", sets.default), ("first_model", sets.first_model)):
                lines.append(f"{model_type} to {move}, {which}:")
                lines += [
                    f"  {_label(spec.rule, spec.params)}: {_asked(spec.rule, spec.params)}" for spec in specs
                ]
    return "\n".join(lines)


def what_if(bench: Workbench, policy: Policy) -> Sequence[Any]:
    """Judge every recorded decision by another policy; nothing is written."""
    return bench.ledger.replay(policy)


def _label(rule: str, params: dict[str, Any]) -> str:
    return RULES[rule].label(params)


def _asked(rule: str, params: dict[str, Any]) -> str:
    return RULES[rule].asked(RULES[rule].params.model_validate(params))
