"""Which pack a version is judged on where nobody names one: the first that the policy asks of its type."""

from __future__ import annotations

from ordinis_learn.errors import ConfigInvalid
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
    ConfigInvalid
        It asks for no pack.
    """
    packs = load_policy(policy_id, settings=settings).packs_of(model_type)
    if not packs:
        raise ConfigInvalid(
            f"find the pack of a {model_type.value}",
            found=f"the policy {policy_id} asks for none",
            next_step="name one: --pack bench_core_v1",
        )
    return packs[0]
