"""A registered prompt pack, read from its verified bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.prompts import PromptPack, load_prompt_pack
from ordinis_learn.records import ModelType, State
from ordinis_learn.use_cases.find import find_artifact
from ordinis_learn.workbench import Workbench

__all__ = ["ShownPack", "registered_pack"]


@dataclass(frozen=True, kw_only=True)
class ShownPack:
    """A pack, its version and state, and the addresses of its prompts in MLflow's registry by task."""

    pack: PromptPack
    version: str
    state: State
    linked: Mapping[str, str]


def registered_pack(bench: Workbench, name: str, version: str | None) -> ShownPack:
    """Return a version of a pack; with none named the active one, else the newest.

    Raises
    ------
    ArtifactMissing
        No such version.
    ConfigInvalid
        It is a model of another type.
    """
    if version is None:
        known = bench.catalogue.artifacts(name)
        active = bench.registry.active_version(name) if known else None
        version = active or (known[-1].version if known else "1")
    artifact = find_artifact(bench, name, version)
    if artifact.model_type is not ModelType.PROMPT_PACK:
        raise ConfigInvalid(
            f"show {name} {version} as a prompt pack",
            found=f"it is a {artifact.model_type}",
            next_step="name a prompt pack; type: ordinis-learn models list",
        )
    return ShownPack(
        pack=load_prompt_pack(bench.registry.local_path(name, version)),
        version=version,
        state=bench.registry.state(name, version),
        linked=bench.registry.linked_prompts(name, version),
    )
