"""Which pack a version is judged on where nobody names one: the first that the policy asks of its type."""

from __future__ import annotations

from ordinis_learn.records import ModelType
from ordinis_learn.rollout.policy import load_policy
from ordinis_learn.settings import Settings

__all__ = ["default_pack"]


def default_pack(settings: Settings, model_type: ModelType, *, policy_id: str) -> str:
    """Return the pack; for signal models ``LEARN_EVAL_PACKS`` where the policy says no other.

    Raises
    ------
    PolicyMissing
        The policy is not there or cannot be read.
    """
    return load_policy(policy_id, settings=settings).packs_of(model_type)[0]
