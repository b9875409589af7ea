"""What is refused on the ways round the stage call, and the words for it.

Pure functions of names and pointers; the store records each refusal and raises it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from ordinis_learn.errors import ConfigInvalid, EvidenceInvalid, RolloutDenied
from ordinis_learn.records import RollbackOrder
from ordinis_learn.rollout.tags import is_governed_tag
from ordinis_registry.pointers import Pointers

__all__ = [
    "EVIDENCE_HASH_REQUEST",
    "ROLLBACK_REQUEST",
    "RollbackRequest",
    "alias_refused",
    "deletion_refused",
    "governed_keys",
    "is_copy",
    "model_tag_refused",
    "name_refused",
    "read_rollback_request",
    "rename_refused",
    "tag_deletion_refused",
    "tags_at_creation_refused",
    "write_rollback_request",
]

ROLLBACK_REQUEST: Final = "ordinis.request.rollback"
"""Set on a registered model, by any MLflow client, it rolls the model back; it is never stored."""

EVIDENCE_HASH_REQUEST: Final = "ordinis.request.evidence_hash"
"""Set on a version, it makes the store write the current evidence hash into ``ordinis.gate.evidence_hash``."""


@dataclass(frozen=True, kw_only=True)
class RollbackRequest:
    """Why to roll back, and from which version; None rolls back whatever is active.

    ``order`` says for which order of a response policy it is. How long nothing is promoted afterwards is said by the order as it
    was given, never by the request.
    """

    reason: str
    from_version: str | None = None
    order: RollbackOrder | None = None


def read_rollback_request(value: str | None) -> RollbackRequest:
    """Read the value of a rollback request: a plain reason, or ``{"reason": …, "from_version": …}``.

    Examples
    --------
    >>> read_rollback_request("drift in vol_20").from_version is None
    True
    >>> read_rollback_request('{"reason": "drift", "from_version": "3"}').from_version
    '3'
    """
    try:
        parsed = json.loads(value or "")
    except ValueError:
        parsed = value
    more = parsed if isinstance(parsed, dict) else {}
    reason, version = (more.get("reason"), more.get("from_version")) if more else (value, None)
    if not isinstance(reason, str) or not reason.strip():
        raise ConfigInvalid(
            "roll back",
            found="no reason",
            next_step=f"give one as the value of {ROLLBACK_REQUEST}: the ledger keeps it",
        )
    order = _order(more.get("order"))
    if order is None and more.get("cool_down_hours"):
        # With an order it is not read: a monitor of an earlier version repeats there what the order says anyway.
        raise ConfigInvalid(
            "roll back and let the model cool down",
            found="no order of a response policy, and only such a rollback sets a cool-down",
            next_step="leave cool_down_hours out",
        )
    return RollbackRequest(
        reason=reason.strip(), from_version=None if version is None else str(version), order=order
    )


def write_rollback_request(request: RollbackRequest) -> str:
    """Return a request as the value of its tag."""
    more = {} if request.order is None else {"order": request.order.to_json()}
    return json.dumps({"reason": request.reason, "from_version": request.from_version, **more})


def _order(value: Any) -> RollbackOrder | None:
    try:
        return None if value is None else RollbackOrder.model_validate(value)
    except ValidationError as error:
        raise ConfigInvalid(
            "roll back",
            found=f"an order that says too little: {error.errors()[0]['msg']}",
            next_step="leave it out",
        ) from error


def governed_keys(tags: Iterable[Any]) -> list[str]:
    """Return the keys that lie in the governed namespace."""
    return [tag.key for tag in tags if is_governed_tag(tag.key)]


def is_copy(source: str) -> bool:
    """Tell whether a version's source is another registered version.

    Examples
    --------
    >>> is_copy("models:/sp500_signal/3"), is_copy("models:/m-1f2e"), is_copy("runs:/9c/model")
    (True, False, False)
    """
    parts = urlsplit(source)
    return parts.scheme == "models" and ("/" in parts.path.strip("/") or "@" in parts.path)


def alias_refused(name: str, alias: str) -> RolloutDenied:
    """Refuse to move an alias by hand."""
    return RolloutDenied(
        f"move the alias {alias!r} of {name}",
        found="it follows the state of the versions and is not set by hand",
        next_step="ask for the state: transition_model_version_stage(name, version, 'shadow' or 'active')",
    )


def tags_at_creation_refused(name: str, keys: list[str]) -> EvidenceInvalid:
    """Refuse governed tags that come with a new model or version."""
    return EvidenceInvalid(
        f"create a version of {name} with the tags {', '.join(keys)}",
        found="evidence is about a version that exists already",
        next_step="create it without them, then submit signed statements about it",
    )


def model_tag_refused(name: str, key: str) -> EvidenceInvalid:
    """Refuse a governed tag on a registered model."""
    return EvidenceInvalid(
        f"set the tag {key!r} of the model {name}",
        found="the namespace is governed, and statements are about versions",
        next_step=f"submit it to a version, or use another name; {ROLLBACK_REQUEST} asks for a rollback",
    )


def tag_deletion_refused(name: str, key: str) -> RolloutDenied:
    """Refuse to take evidence away."""
    return RolloutDenied(
        f"delete the tag {key!r} of {name}",
        found="what was submitted stays; a later statement under the same key replaces it",
        next_step="submit a newer statement, or retire the version",
    )


def name_refused(name: str) -> ConfigInvalid:
    """Refuse a name that the policy takes for a governed one and the database's triggers do not."""
    return ConfigInvalid(
        f"register the model {name!r}",
        found="it reads like a governed name, but the database's triggers would not know it",
        next_step="give it a name of plain ASCII letters, without spaces around it",
    )


def rename_refused(name: str, new_name: str) -> RolloutDenied:
    """Refuse to rename a model that has versions."""
    return RolloutDenied(
        f"rename {name} to {new_name}",
        found="its records and signed statements are bound to the name",
        next_step=f"copy the versions to {new_name}; each begins there as a candidate",
    )


def deletion_refused(name: str, pointers: Pointers, *, version: str | None = None) -> RolloutDenied | None:
    """Return why a version, or with none given the whole model, must stay; None when it may go.

    A model that has ever traded stays: were it gone, the next of that name would be a first model again.

    Examples
    --------
    >>> pointers = Pointers().promoted("1").promoted("2")
    >>> deletion_refused("signal", pointers, version="1").found
    'version 1 is last known good'
    >>> deletion_refused("signal", pointers, version="3") is None
    True
    """
    needed = dict.fromkeys(pointers.shadow, "in SHADOW")
    if pointers.last_active is not None:
        needed[pointers.last_active] = "the last that traded, which the next one must beat"
    if pointers.last_known_good is not None:
        needed[pointers.last_known_good] = "last known good"
    if pointers.active is not None:
        needed[pointers.active] = "ACTIVE"
    kept = {one: why for one, why in needed.items() if version in {None, one}}
    if not kept:
        return None
    return RolloutDenied(
        f"delete {name}" if version is None else f"delete {name} {version}",
        found="; ".join(f"version {one} is {why}" for one, why in kept.items()),
        next_step="retire what is in SHADOW; what traded last goes when others have replaced it",
    )
