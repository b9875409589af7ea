"""Link the tasks of a governed prompt pack to MLflow's prompt registry, and let those prompts follow the pack.

The store makes the prompts itself, from the pack's verified bytes: no client says what a linked prompt reads like. What a linked
prompt then is, its text, its versions and where the governed aliases point, is not changed by hand; whatever was changed behind the
store is found by the reconciler and refused on loading.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlflow.entities.model_registry import ModelVersion, RegisteredModelTag  # noqa: TID253  a leaf, loaded by name
from mlflow.entities.model_registry.prompt_version import PromptModelConfig  # noqa: TID253
from mlflow.prompt.constants import (  # noqa: TID253
    IS_PROMPT_TAG_KEY,
    PROMPT_MODEL_CONFIG_TAG_KEY,
    PROMPT_TEXT_TAG_KEY,
    PROMPT_TYPE_CHAT,
    PROMPT_TYPE_TAG_KEY,
    RESPONSE_FORMAT_TAG_KEY,
)
from sqlalchemy.orm import Session

from ordinis_learn.errors import ConfigInvalid, DataCorrupt, LearnError, RolloutDenied
from ordinis_learn.records import tree_sha256
from ordinis_mlflow._artifacts import ArtifactReader, bundle_of
from ordinis_mlflow._change import Change
from ordinis_registry.linked_prompts import (
    PACK_ALIAS,
    PROMPT_TAGS,
    aliases_of,
    links_of,
    pack_aliases,
    prompt_name,
    prompt_sha256,
    prompts_of,
)
from ordinis_registry.pointers import Pointers
from ordinis_registry.subjects import split_subject

if TYPE_CHECKING:
    from ordinis_learn.prompts import PromptPack

__all__ = [
    "LINK_REQUEST",
    "PACK_TAG",
    "PROMPTS_TAG",
    "alias_follows",
    "altered",
    "changes_prompt",
    "hand_made",
    "link",
    "misplaced",
    "of_pack",
    "read_pack",
]

LINK_REQUEST: Final = "ordinis.request.link_prompts"
"""Set on a version of a prompt pack, by any MLflow client, it links the pack's tasks; it is never stored."""
PROMPTS_TAG: Final = "ordinis.prompts"
"""On a linked pack's version: a JSON object from task to the address of its prompt."""
PACK_TAG: Final = "ordinis.pack"
"""On a linked prompt's version: the pack's version that it is of."""
_SOURCE: Final = "prompt-template"
"""MLflow's own placeholder: a prompt's text is a tag, not a file."""


def read_pack(artifacts: ArtifactReader, uri: str, *, name: str, version: str) -> tuple[PromptPack, str]:
    """Read the pack behind a version's address, and the digest of the bytes it was read from.

    Raises
    ------
    ArtifactMissing, DataCorrupt
        There is no pack that can be read.
    """
    from ordinis_learn.prompts import load_prompt_pack  # noqa: PLC0415  a server without packs does not need SciPy

    with tempfile.TemporaryDirectory(prefix="ordinis-pack-") as scratch:
        folder = artifacts.fetch(uri, into=Path(scratch))
        return load_prompt_pack(bundle_of(folder, name=name, version=version)), tree_sha256(folder)


def link(
    change: Change, version: str, *, pack: PromptPack, digest: str, governs: Callable[[str], bool]
) -> None:
    """Make a prompt of each task, or a version of the prompt that is there; doing it again changes nothing.

    Raises
    ------
    ConfigInvalid
        A task's messages would be read differently by MLflow, the policy is not about the prompts, or a name is taken.
    DataCorrupt
        The bytes are not those that were registered.
    """
    from ordinis_learn.prompts import chat_template  # noqa: PLC0415

    asked = f"link {change.name} {version} to MLflow's prompt registry"
    change.state(version)
    if change.reference(version, stored_sha256=digest).artifact_sha256 != digest:
        raise DataCorrupt(
            asked, found="its bytes are not what was registered", next_step="restore them, or register again"
        )
    made = {}
    for task in sorted(pack.tasks):
        name = prompt_name(change.bare_name, task)
        tags = _tags(pack, task, messages=chat_template(pack, task))
        made[task] = (
            f"prompts:/{name}/{_link_task(change, version, name=name, tags=tags, governs=governs, asked=asked)}"
        )
    if change.tags(version).get(PROMPTS_TAG) != json.dumps(made):
        change.tag(version, PROMPTS_TAG, json.dumps(made))
        change.record("prompts.linked", {"version": version, "prompts": made})
    change.follow(change.pointers)


def _link_task(
    pack: Change,
    version: str,
    *,
    name: str,
    tags: dict[str, str],
    governs: Callable[[str], bool],
    asked: str,
) -> str:
    """Return the version of the prompt that stands for the pack's version."""
    if not governs(name):
        raise ConfigInvalid(
            asked,
            found=f"the policy governs {pack.name} and not {name}",
            next_step=f"add '{pack.bare_name}.*' to governs.names of the policy",
        )
    prompt = pack.beside(name)
    links = links_of(prompt.session, prompt.name)
    digest = prompt_sha256(tags)
    there = next((one for one, found in links.items() if found.pack_version == version), None)
    if there is not None and links[there].sha256 == digest:
        _put_back(prompt, f"{PACK_ALIAS}{version}", there)
        return there
    if not links:
        _create(prompt, pack=pack, version=version, asked=asked)
    made = prompt.create(
        source=_SOURCE,
        address=_SOURCE,
        tags={**tags, PACK_TAG: f"models:/{pack.name}/{version}"},
        run_id=None,
        run_link=None,
        description=f"{pack.name} {version}",
    )
    prompt.record(
        "version.registered",
        {
            "version": made,
            "source": _SOURCE,
            "address": _SOURCE,
            "artifact_sha256": digest,
            "pack": pack.name,
            "pack_version": version,
        },
    )
    prompt.alias(f"{PACK_ALIAS}{version}", made)
    return made


def _put_back(prompt: Change, alias: str, version: str) -> None:
    """Set what a stock store that writes to the same database may have moved: the pack's alias, and the mark of a prompt."""
    prompt.alias(alias, version)
    if prompt.plain.get_registered_model(prompt.bare_name).tags.get(IS_PROMPT_TAG_KEY) != "true":
        prompt.plain.set_registered_model_tag(prompt.bare_name, RegisteredModelTag(IS_PROMPT_TAG_KEY, "true"))


def _create(prompt: Change, *, pack: Change, version: str, asked: str) -> None:
    if prompt.name in prompts_of(pack.session, pack.name):
        raise ConfigInvalid(
            asked,
            found=f"the name {prompt.bare_name} is taken by a model or prompt that is not linked",
            next_step=f"delete or rename it, then ordinis-learn prompts link {pack.name} {version}",
        )
    tags = [RegisteredModelTag(IS_PROMPT_TAG_KEY, "true")]
    prompt.plain.create_registered_model(prompt.bare_name, tags, "Linked to a governed prompt pack")
    prompt.record("model.created", {"linked": True}, pointers=Pointers())


def _tags(pack: PromptPack, task: str, *, messages: list[dict[str, str]]) -> dict[str, str]:
    asked = pack.parameters
    config = PromptModelConfig(
        model_name=asked.model,
        temperature=asked.temperature,
        top_p=asked.top_p,
        max_tokens=asked.max_tokens,
        stop_sequences=list(asked.stop) or None,
        extra_params={} if asked.seed is None else {"seed": asked.seed},
    )
    return {
        IS_PROMPT_TAG_KEY: "true",
        PROMPT_TYPE_TAG_KEY: PROMPT_TYPE_CHAT,
        PROMPT_TEXT_TAG_KEY: json.dumps(messages),
        RESPONSE_FORMAT_TAG_KEY: json.dumps(pack.tasks[task].output_schema, sort_keys=True),
        PROMPT_MODEL_CONFIG_TAG_KEY: json.dumps(config.to_dict(), sort_keys=True),
    }


def altered(session: Session, subject: str, version: ModelVersion) -> LearnError | None:
    """Return why a version of a linked prompt must not be read; None where it is what was linked, or no such prompt."""
    links = links_of(session, subject)
    if not links:
        return None
    link = links.get(str(version.version))
    if link is not None and prompt_sha256(version.tags) == link.sha256:
        return None
    found = "it was made behind the store" if link is None else "its text is not what was linked"
    pack = next(iter(links.values())).pack
    return DataCorrupt(
        f"load the prompt {subject} {version.version}",
        found=f"{found}, which the ledger knows by its hash",
        next_step=f"find who changed it; models:/{pack} is unharmed and can be loaded instead",
    )


def misplaced(session: Session, subject: str, alias: str, version: ModelVersion) -> LearnError | None:
    """Return why an alias of a linked prompt must not be followed; None where it points where it belongs, or is free."""
    links = links_of(session, subject)
    if not links:
        return None
    wanted: dict[str, str | None] = {**aliases_of(session, subject, Pointers()), **pack_aliases(links)}
    name = alias.lower()
    free = name not in wanted and not alias_follows(name)
    if free or wanted.get(name) == str(version.version):
        return None
    pack = next(iter(links.values())).pack
    return DataCorrupt(
        f"load the prompt {subject}@{alias}",
        found=f"it points to {version.version}, the ledger says {wanted.get(name)}",
        next_step=f"find who moved it; ordinis-learn ledger reconcile names it, and {_link_again(pack)} puts it back",
    )


def _link_again(pack: str) -> str:
    return f"ordinis-learn prompts link {pack} VERSION"


def alias_follows(alias: str | None) -> bool:
    """Tell whether an alias, besides the governed ones, is kept by the store on linked prompts; none is not."""
    return isinstance(alias, str) and alias.lower().startswith(PACK_ALIAS)


def changes_prompt(keys: Iterable[str]) -> bool:
    """Tell whether any of these tags is part of what a prompt says."""
    return any(key in PROMPT_TAGS for key in keys)


def hand_made(subject: str, pack: str, *, asked: str) -> RolloutDenied:
    """Refuse to change a linked prompt by hand."""
    return RolloutDenied(
        asked,
        found=f"{subject} is linked to the prompt pack {pack} and follows it",
        next_step=f"register another version of {split_subject(pack)[1]}, or ask for its state; prompts of other names are free",
    )


def of_pack(session: Any, subject: str) -> str | None:
    """Return the pack that a prompt is linked to, None for whatever is no linked prompt."""
    links = links_of(session, subject)
    return next(iter(links.values())).pack if links else None
