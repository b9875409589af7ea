"""When the registry accepted each signed statement of a model, by the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from ordinis_learn.records import Identity
from ordinis_registry import ledger

__all__ = ["accepted_statements"]

_ACTIONS: Final = ("evidence.submitted", "approval.given", "approval.refused", "waiver.granted")


def accepted_statements(
    session: Session, name: str, *, identities: Sequence[Identity]
) -> dict[str, datetime]:
    """Return the moment each envelope was accepted, by the SHA-256 of its text.

    Only what retired keys signed needs it, so without any the ledger is not read and the answer is empty.
    """
    if all(identity.retired_at is None for identity in identities):
        return {}
    return {
        record.body["envelope_sha256"]: record.at
        for action in _ACTIONS
        for record in ledger.newest(session, name, action=action)
    }
