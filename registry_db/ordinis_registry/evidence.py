"""Evidence as decisions saw it, kept once under its own hash; the ledger names it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.rollout.bundle import EvidenceBundle
from ordinis_registry.models import EvidenceRow
from ordinis_registry.once import insert_once

__all__ = ["evidence_bundle", "keep_evidence"]


def keep_evidence(session: Session, bundle: EvidenceBundle, *, at: datetime) -> str:
    """Store a bundle under its hash, the first time it is seen; return the hash."""
    canonical, digest = bundle.hashed()
    insert_once(session, EvidenceRow, bundle_hash=digest, first_used_at=at, record=canonical.decode())
    return digest


def evidence_bundle(session: Session, digest: str) -> EvidenceBundle | None:
    """Return the bundle with a hash, None where there is none.

    Raises
    ------
    DataCorrupt
        What is stored under the hash does not have it.
    """
    row = session.get(EvidenceRow, digest)
    if row is None:
        return None
    bundle = EvidenceBundle.model_validate_json(row.record)
    if bundle.content_hash() != digest:
        raise DataCorrupt(
            f"read the evidence {digest[:16]}…",
            found="what is stored has another hash",
            next_step="ordinis-learn ledger verify; then restore the database from a backup",
        )
    return bundle
