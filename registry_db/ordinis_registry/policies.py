"""Policies as they were when they first decided something."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.records import canonical_json
from ordinis_registry.models import PolicyRow

__all__ = ["keep_policy", "policy_document"]


def keep_policy(
    session: Session, document: Mapping[str, Any], *, policy_id: str, policy_hash: str, at: datetime
) -> None:
    """Store a policy under its hash the first time it is used; later uses change nothing."""
    known = sa.select(PolicyRow.policy_hash).where(PolicyRow.policy_hash == policy_hash)
    if session.scalar(known) is None:
        text = canonical_json(dict(document)).decode()
        session.add(PolicyRow(policy_hash=policy_hash, policy_id=policy_id, first_used_at=at, record=text))
        session.flush()


def policy_document(session: Session, policy_hash: str) -> str | None:
    """Return the canonical JSON of the policy with this hash, None where it never decided anything."""
    row = session.get(PolicyRow, policy_hash)
    return None if row is None else row.record
