"""What the ledger and MLflow's tables say about keeping the bytes of retired versions. Nothing here writes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.records import AuditRecord
from ordinis_learn.rollout.retention import VersionFacts
from ordinis_learn.rollout.states import MLFLOW_STAGES
from ordinis_learn.rollout.tags import TRAINING_TAG
from ordinis_registry import ledger
from ordinis_registry._reading import legible
from ordinis_registry.models import LedgerRow
from ordinis_registry.subjects import subject_column

__all__ = ["HOLD_PLACED", "HOLD_RELEASED", "PRUNED", "UNKNOWN_TYPE", "facts", "held", "pruned"]

HOLD_PLACED: Final = "hold.placed"
HOLD_RELEASED: Final = "hold.released"
PRUNED: Final = "artifact.pruned"
UNKNOWN_TYPE: Final = "unknown"
"""Versions without a training statement are counted together."""

_Key = tuple[str, str]
_VERSIONS: Final = sa.table(
    "model_versions",
    *map(sa.column, ("workspace", "name", "version", "current_stage", "source", "storage_location")),
)
_TAGS: Final = sa.table(
    "model_version_tags", *map(sa.column, ("workspace", "name", "version", "key", "value"))
)
_ALIASES: Final = sa.table(
    "registered_model_aliases", *map(sa.column, ("workspace", "name", "alias", "version"))
)
_STATES: Final = {stage: state for state, stage in MLFLOW_STAGES.items()}


def facts(session: Session, *, folder: Callable[[str, str], Path | None]) -> list[VersionFacts]:
    """Gather what decides about the bytes of every version of every model.

    Parameters
    ----------
    session : Session
        Reads MLflow's tables and the ledger.
    folder : callable
        Given a model's subject and an address, returns the local folder there, None for one elsewhere.
    """
    registered = {key: row.position for key, row in _newest(session, "version.registered").items()}
    types, needed = _types(session), _needed(session)
    found: list[VersionFacts] = []
    for row in session.execute(sa.select(_VERSIONS, subject_column(_VERSIONS).label("subject"))):
        key = (row.subject, str(row.version))
        if row.current_stage not in _STATES:
            continue  # deleted
        known = key in registered
        found.append(
            VersionFacts(
                name=key[0],
                version=key[1],
                model_type=types.get(key, UNKNOWN_TYPE),
                state=_STATES[row.current_stage],
                order=registered.get(key, 0),
                place=_place(key[0], row.storage_location or row.source or "", folder=folder),
                needed=needed.get(key, "") if known else "the ledger did not see it registered",
            )
        )
    return found


def held(session: Session, name: str) -> dict[str, AuditRecord]:
    """Return the versions of a model that are on legal hold now, each with its record."""
    newest = _newest(session, HOLD_PLACED, HOLD_RELEASED, name=name)
    standing = {version: row for (_, version), row in newest.items() if row.action == HOLD_PLACED}
    return {version: ledger.to_record(row) for version, row in standing.items()}


def pruned(session: Session, name: str, version: str) -> AuditRecord | None:
    """Return the record by which a version's bytes were given up, None where they were not."""
    records = ledger.newest(session, name, action=PRUNED)
    return next((record for record in records if str(record.body["version"]) == version), None)


def _newest(session: Session, *actions: str, name: str | None = None) -> dict[_Key, LedgerRow]:
    query = sa.select(LedgerRow).where(LedgerRow.action.in_(actions)).order_by(LedgerRow.position)
    rows = session.scalars(query if name is None else query.where(LedgerRow.subject == name))
    return {(row.subject, _said(row, "version")): row for row in rows}


def _said(row: LedgerRow, key: str) -> str:
    with legible(row.subject, row.sequence):
        return str(json.loads(row.hashed_text)["body"][key])


def _types(session: Session) -> dict[_Key, str]:
    """Return the model types by what the training statements say; the store verified them on arrival."""
    query = sa.select(_TAGS, subject_column(_TAGS).label("subject")).where(_TAGS.c.key == TRAINING_TAG)
    return {(row.subject, str(row.version)): _type_in(row.value) for row in session.execute(query)}


def _type_in(envelope: str) -> str:
    payload = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    return str(payload["predicate"]["model_type"])


def _needed(session: Session) -> dict[_Key, str]:
    """Say what retired versions are still for; where several things hold, the strongest."""
    needed: dict[_Key, str] = {}
    for row in session.execute(sa.select(_ALIASES, subject_column(_ALIASES).label("subject"))):
        needed[row.subject, str(row.version)] = f"the alias {row.alias!r} points at it"
    names: Sequence[str] = session.scalars(sa.select(subject_column(_VERSIONS)).distinct()).all()
    for name in names:
        known = ledger.pointers(session, name)
        if known is None:
            continue
        needed.update({(name, one): "a rollback may go to it" for one in known.good})
        needed.update({(name, one): "the ledger says SHADOW" for one in known.shadow})
        for one, why in (
            (known.last_active, "it traded last"),
            (known.last_known_good, "last known good"),
            (known.active, "the ledger says ACTIVE"),
        ):
            if one is not None:
                needed[name, one] = why
    for key, said in _newest(session, HOLD_PLACED, HOLD_RELEASED).items():
        if said.action == HOLD_PLACED:
            needed[key] = f"legal hold: {_said(said, 'reason')}"
    return needed


def _place(subject: str, address: str, *, folder: Callable[[str, str], Path | None]) -> tuple[str, ...]:
    near = folder(subject, address)
    return (address,) if near is None else near.resolve().parts
