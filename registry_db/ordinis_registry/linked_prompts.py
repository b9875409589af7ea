"""Prompts of MLflow's registry that a governed prompt pack was linked to, as the ledger tells of them.

The prompt of the pack ``cortex`` for its task ``plan_task`` is called ``cortex.plan_task``: names of packs have no dot, so a prompt
has one pack. Its versions come from the pack's, each recorded with the pack's version and the hash of what MLflow's
tags say. It has no states of its own; the governed aliases point where those of the pack do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.records import hash_of
from ordinis_registry import ledger
from ordinis_registry.pointers import Pointers
from ordinis_registry.subjects import split_subject

__all__ = [
    "IS_PROMPT",
    "PACK_ALIAS",
    "PROMPT_TAGS",
    "Link",
    "aliases_of",
    "could_be_linked",
    "followed",
    "links_of",
    "pack_aliases",
    "prompt_name",
    "prompt_sha256",
    "prompts_of",
]

IS_PROMPT: Final = "mlflow.prompt.is_prompt"
PROMPT_TAGS: Final = (
    "_mlflow_prompt_model_config",
    "_mlflow_prompt_response_format",
    "_mlflow_prompt_type",
    IS_PROMPT,
    "mlflow.prompt.text",
)
"""What makes a version a prompt, as in ``mlflow.prompt.constants``; a test compares them."""

PACK_ALIAS: Final = "pack-"
"""Before a pack's version: the alias of the prompt's version that is of it."""

_MODELS: Final = sa.table("registered_models", *map(sa.column, ("workspace", "name")))


@dataclass(frozen=True, kw_only=True)
class Link:
    """Of which version of which pack (by its subject) a prompt's version is, and the hash of its tags."""

    pack: str
    pack_version: str
    sha256: str


def prompt_name(pack: str, task: str) -> str:
    """Return what the prompt of a task is called.

    Examples
    --------
    >>> prompt_name("cortex", "plan_task"), could_be_linked("cortex.plan_task"), could_be_linked("cortex")
    ('cortex.plan_task', True, False)
    """
    return f"{pack}.{task}"


def could_be_linked(name: str) -> bool:
    """Tell by its name alone whether a model may be a linked prompt; most models need no look at the ledger then."""
    return isinstance(name, str) and "." in name


def prompt_sha256(tags: Mapping[str, str]) -> str:
    """Return the hash of what MLflow reads a prompt from; other tags do not count."""
    return hash_of({key: tags.get(key) for key in PROMPT_TAGS}, domain="ordinis.linked_prompt.v1")


def links_of(session: Session, subject: str) -> dict[str, Link]:
    """Return the links of a prompt by its version, the newest first; empty for what is none."""
    if not could_be_linked(subject):
        return {}
    found: dict[str, Link] = {}
    for record in ledger.newest(session, subject, action="version.registered"):
        body = record.body
        if "pack" in body:
            link = Link(pack=body["pack"], pack_version=body["pack_version"], sha256=body["artifact_sha256"])
            found.setdefault(str(body["version"]), link)
    return found


def prompts_of(session: Session, pack: str) -> list[str]:
    """Return the subjects of models whose name begins with a pack's and a dot, in order of name."""
    workspace, name = split_subject(pack)
    start = f"{name}."
    found = session.scalars(
        sa.select(_MODELS.c.name)
        .where(_MODELS.c.workspace == workspace, _MODELS.c.name.startswith(start, autoescape=True))
        .order_by(_MODELS.c.name)
    )
    before = pack.removesuffix(name)
    return [f"{before}{one}" for one in found if one.startswith(start)]


def followed(known: Pointers, links: Mapping[str, Link]) -> dict[str, str | None]:
    """Return where a prompt's governed aliases point when its pack's pointers are those given.

    Examples
    --------
    >>> links = {"1": Link(pack="cortex", pack_version="4", sha256="")}
    >>> followed(Pointers().promoted("4"), links)
    {'active': '1', 'last_known_good': None, 'shadow': None}
    """
    versions: dict[str, str] = {}
    for version, link in links.items():  # a pack that was deleted and made again begins with version 1 again
        versions.setdefault(link.pack_version, version)
    return {
        alias: None if version is None else versions.get(version) for alias, version in known.aliases.items()
    }


def pack_aliases(links: Mapping[str, Link]) -> dict[str, str]:
    """Return where the aliases that name a pack's version point, newest links first.

    Examples
    --------
    >>> pack_aliases({"2": Link(pack="cortex", pack_version="4", sha256="")})
    {'pack-4': '2'}
    """
    found: dict[str, str] = {}
    for version, link in links.items():
        found.setdefault(f"{PACK_ALIAS}{link.pack_version}", version)
    return found


def aliases_of(session: Session, subject: str, known: Pointers) -> dict[str, str | None]:
    """Return where a model's governed aliases belong: where its own pointers say, or a linked prompt's pack."""
    links = links_of(session, subject)
    if not links:
        return known.aliases
    pack = next(iter(links.values())).pack
    return followed(ledger.pointers(session, pack) or Pointers(), links)
