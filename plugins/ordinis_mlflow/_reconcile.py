"""Record and announce what ledger and registry say differently, and put the registry back on request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import sqlalchemy as sa
from mlflow.exceptions import MlflowException  # noqa: TID253  a leaf, loaded by name
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ordinis_learn.errors import LearnError
from ordinis_learn.records import LearnTopic, State
from ordinis_mlflow._artifacts import ArtifactReader
from ordinis_mlflow._change import DIGEST_TAG, STATE_TAG, Change
from ordinis_registry import ledger
from ordinis_registry.linked_prompts import aliases_of, links_of, pack_aliases
from ordinis_registry.models import LedgerRow
from ordinis_registry.reconciliation import (
    Disagreement,
    examine,
    expected_state,
    registered,
    shown,
    shown_pack_aliases,
)

__all__ = ["look_around", "reconcile"]

_DISAGREED: Final = "registry.disagreed"
_SETTLED: Final = ("registry.agreed", "registry.repaired")
_LOG: Final = logging.getLogger(__name__)


def reconcile(
    change: Callable[[str], AbstractContextManager[Change]],
    reading: Callable[[], AbstractContextManager[Session]],
    *,
    governs: Callable[[str], bool],
    artifacts: ArtifactReader,
    repair: bool,
) -> list[Disagreement]:
    """Compare ledger and registry; record and announce each disagreement once.

    Parameters
    ----------
    change : callable
        Opens a governed change of one model, given by its subject.
    reading : callable
        Opens a session.
    governs : callable
        Tells whether a model of this name, without its workspace, is under the policy.
    artifacts : ArtifactReader
        Computes digests; they are computed before any lock is taken.
    repair : bool
        Put stages, aliases and tags back to what the ledger says. Bytes are not mended.

    Returns
    -------
    list of Disagreement
        As found, before any repair.
    """
    with reading() as session:
        found = examine(session, governs=governs, digest=artifacts.digest_of)
        open_ones = sa.select(LedgerRow.subject).where(LedgerRow.action == _DISAGREED)
        names = {*session.scalars(open_ones.distinct()), *(one.name for one in found)} - {ledger.EVERYTHING}
    for one in found:
        _LOG.warning("%s. Next: %s", one, one.next_step)
    for name in sorted(names):
        with change(name) as opened:
            _settle(opened, [one for one in found if one.name == name], repair=repair)
    return found


def look_around(store: Any) -> None:
    """Reconcile when a server starts: what goes wrong is logged and stops nobody."""
    try:
        store.reconcile()
    except (MlflowException, LearnError, SQLAlchemyError):
        _LOG.exception("ledger and registry could not be compared; ordinis-learn doctor looks again")


def _settle(change: Change, found: Sequence[Disagreement], *, repair: bool) -> None:
    said = [str(one) for one in found]
    before = _newest(change)
    if said != before:
        if said:
            record = change.record(_DISAGREED, {"found": said})
            change.emit(LearnTopic.REGISTRY_ALERT, {"found": said}, record=record)
        else:
            change.record("registry.agreed", {})
    readable = all(one.kind != "unreadable" for one in found)
    if said and repair and readable and change.recorded_pointers is not None:
        mended = _mend(change, found)
        if mended:
            change.record("registry.repaired", {"mended": mended})


def _newest(change: Change) -> list[str]:
    """Return what was said of the model last; nothing where that was settled since."""
    query = sa.select(LedgerRow).where(
        LedgerRow.subject == change.name, LedgerRow.action.in_([_DISAGREED, *_SETTLED])
    )
    row = change.session.scalars(query.order_by(LedgerRow.sequence.desc()).limit(1)).first()
    return list(ledger.to_record(row).body["found"]) if row is not None and row.action == _DISAGREED else []


def _mend(change: Change, found: Sequence[Disagreement]) -> list[str]:
    known = change.pointers
    digests = registered(change.session, change.name)
    stages = shown(change.session, change.name).stages
    mended: list[str] = []
    for one in found:
        version = one.version or ""
        if version not in stages or one.kind not in {"stage", "state_tag", "digest_tag"}:
            continue
        if one.kind == "digest_tag":
            change.tag(version, DIGEST_TAG, digests[version])
        elif one.kind == "stage":
            change.put(version, expected_state(known, version) or State.RETIRED)
        else:
            change.tag(version, STATE_TAG, (expected_state(known, version) or change.state(version)).value)
        mended.append(str(one))
    aliases = [one for one in found if one.kind == "alias"]
    of_packs = pack_aliases(links_of(change.session, change.name))
    wanted = aliases_of(change.session, change.name, known) | of_packs
    if aliases and all(version in stages for version in wanted.values() if version is not None):
        now = set(shown(change.session, change.name).aliases)
        if of_packs:
            now |= set(shown_pack_aliases(change.session, change.name))
        for stray in now - set(wanted):
            change.plain.delete_registered_model_alias(change.bare_name, stray)
        for alias, place in wanted.items():
            change.alias(alias, place)
        mended.extend(map(str, aliases))
    return mended
