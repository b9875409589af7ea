"""Policies as they were when they first decided something."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import canonical_json
from ordinis_registry.models import Base, PolicyRow
from ordinis_registry.once import insert_once

__all__ = ["keep_policy", "policy_document", "refuse_changed"]

_POLICIES: Final = Base.metadata.tables[PolicyRow.__tablename__]
_KNOWN: Final = sa.select(_POLICIES.c.policy_hash).where(_POLICIES.c.policy_hash == sa.bindparam("of_hash"))
_USED: Final = (
    sa.select(_POLICIES.c.first_used_at, _POLICIES.c.record)
    .where(_POLICIES.c.policy_id == sa.bindparam("of_id"))
    .order_by(_POLICIES.c.first_used_at)
)


def keep_policy(
    session: Session, document: Mapping[str, Any], *, policy_id: str, policy_hash: str, at: datetime
) -> None:
    """Store a policy under its hash the first time it is used; later uses change nothing."""
    if session.scalar(_KNOWN, {"of_hash": policy_hash}) is None:
        text = canonical_json(dict(document)).decode()
        insert_once(
            session, PolicyRow, policy_hash=policy_hash, policy_id=policy_id, first_used_at=at, record=text
        )


def refuse_changed(session: Session, *, policy_id: str, source_sha256: str) -> None:
    """Refuse a policy whose id an earlier decision used for other content.

    Settings that a policy refers to may change: each decision carries the hash of what they made of it.

    Raises
    ------
    ConfigInvalid
        The file was edited after its first use.
    """
    for row in session.execute(_USED, {"of_id": policy_id}):
        before = _source_in(row.record)
        if not before:
            continue  # kept before sources were hashed: nothing to compare with
        if before == source_sha256:
            return  # the first content owns the id; retiring may have gone by another since
        raise ConfigInvalid(
            f"decide by the policy {policy_id!r}",
            found=f"its content is not what decided since {row.first_used_at:%Y-%m-%d %H:%M:%S}Z",
            next_step=f"restore the file, give the new one another policy_id, e.g. {policy_id}_b, and set "
            f"GOV_POLICY_VERSION={policy_id}_b",
        )


@lru_cache(32)
def _source_in(record: str) -> str:
    source: str = json.loads(record).get("source_sha256", "")
    return source


def policy_document(session: Session, policy_hash: str) -> str | None:
    """Return the canonical JSON of the policy with this hash, None where it never decided anything."""
    row = session.get(PolicyRow, policy_hash)
    return None if row is None else row.record
