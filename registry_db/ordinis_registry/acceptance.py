"""Which signed statements the registry accepted for a model, by the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.records import AuditRecord, Identity, canonical_json
from ordinis_learn.rollout.submitted import text_sha256
from ordinis_learn.rollout.tags import kind_of
from ordinis_registry import ledger
from ordinis_registry._reading import legible
from ordinis_registry.models import LedgerRow

__all__ = ["Submissions", "accepted_statements", "altered_statements", "submissions"]

_ACTIONS: Final = ("evidence.submitted", "approval.given", "approval.refused", "waiver.granted")
_REGISTERED: Final = "version.registered"

Submissions = Mapping[str, Sequence[Mapping[str, Any]]]
"""Bodies of the records that accepted a statement for one version, by tag key, oldest first."""


def accepted_statements(
    session: Session, name: str, *, identities: Sequence[Identity]
) -> dict[str, datetime]:
    """Return the moment each envelope was accepted, by the SHA-256 of its text.

    Only what retired keys signed needs it, so without any the ledger is not read and the answer is empty.
    """
    if all(identity.retired_at is None for identity in identities):
        return {}
    return {
        _envelope_of(record): record.at
        for action in _ACTIONS
        for record in ledger.newest(session, name, action=action)
    }


def _envelope_of(record: AuditRecord) -> str:
    with legible(record.subject, record.sequence):
        digest: str = record.body["envelope_sha256"]
        return digest


def submissions(session: Session, name: str, version: str) -> Submissions:
    """Return what was accepted for a version since it was registered.

    A number that was given again after its model had been deleted begins anew.
    """
    holding = f'"version":{canonical_json(version).decode()}'
    query = sa.select(LedgerRow.action, LedgerRow.hashed_text).where(
        LedgerRow.subject == name,
        LedgerRow.action.in_([*_ACTIONS, _REGISTERED]),
        LedgerRow.hashed_text.contains(holding, autoescape=True),
    )
    found: dict[str, list[Mapping[str, Any]]] = {}
    for action, text in session.execute(query.order_by(LedgerRow.sequence)):
        with legible(name):
            body = json.loads(text)["body"]
            if body.get("version") != version:
                continue
            if action == _REGISTERED:
                found.clear()
            else:
                found.setdefault(str(body["key"]), []).append(
                    {**body, "envelope_sha256": str(body["envelope_sha256"])}
                )
    return found


def altered_statements(tags: Mapping[str, str], accepted: Submissions) -> list[str]:
    """Return one sentence per statement that is not the one accepted last under its key.

    A signature says who wrote a statement, not that it is the latest: with a refusal taken away, or an older
    approval put over it, everything that is left still verifies.

    Parameters
    ----------
    tags : Mapping
        All tags of the version.
    accepted : Submissions
        From :func:`submissions`.
    """
    found = []
    for key in sorted({*accepted, *(key for key in tags if kind_of(key) is not None)}):
        if key not in accepted:
            found.append(f"{key} did not come through the store")
        elif key not in tags:
            found.append(f"{key} is gone")
        elif text_sha256(tags[key]) != accepted[key][-1]["envelope_sha256"]:
            found.append(f"{key} is not the statement that was accepted last")
    return found
