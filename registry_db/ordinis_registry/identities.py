"""The public keys that the desk trusts, and who said so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.ports import Clock
from ordinis_learn.records import Actor, Identity
from ordinis_registry import ledger
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.models import IdentityRow

__all__ = ["SqlIdentityBook", "known_identities"]


class SqlIdentityBook:
    """The identity book over SQLAlchemy; every change is a record on the chain ``*``.

    A name belongs to one key that is not revoked. Revoking keeps the row: what was signed before stays
    attributable, and the statements of a revoked key no longer verify.
    """

    def __init__(self, database: GovernanceDatabase, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def trust(self, identity: Identity, *, actor: Actor) -> None:
        """Trust a key from now on; trusting the same identity again changes nothing.

        Raises
        ------
        ConfigInvalid
            The name is taken by another key, or the key is known with other roles or is revoked.
        """
        with self._database.session() as session:
            ledger.lock(session, ledger.EVERYTHING)
            if not _is_new(identity, known_identities(session)):
                return
            session.add(_to_row(identity))
            self._record(session, "identity.trusted", identity, actor=actor)

    def revoke(self, name: str, *, actor: Actor, reason: str) -> Identity:
        """Stop trusting a name's key from now on.

        Raises
        ------
        ConfigInvalid
            No trusted key has the name.
        """
        at = self._clock()
        with self._database.session() as session:
            ledger.lock(session, ledger.EVERYTHING)
            trusted = [
                one for one in known_identities(session) if one.name == name and one.revoked_at is None
            ]
            if not trusted:
                raise ConfigInvalid(
                    f"revoke the key of {name!r}",
                    found="no trusted key has this name",
                    next_step="ordinis-learn keys list",
                )
            revoked = trusted[0].model_copy(update={"revoked_at": at})
            session.merge(_to_row(revoked))
            self._record(session, "identity.revoked", revoked, actor=actor, reason=reason)
        return revoked

    def identities(self) -> Sequence[Identity]:
        """Return every identity, revoked ones too, by name."""
        with self._database.reading() as session:
            return known_identities(session)

    def _record(
        self, session: Session, action: str, identity: Identity, *, actor: Actor, reason: str = ""
    ) -> None:
        at: datetime = self._clock()
        body = {"identity": identity.to_json(), "reason": reason}
        ledger.append(session, subject=ledger.EVERYTHING, action=action, actor=actor, at=at, body=body)


def known_identities(session: Session) -> list[Identity]:
    """Return every identity, revoked ones too, by name."""
    query = sa.select(IdentityRow.record).order_by(IdentityRow.name, IdentityRow.key_id)
    return [Identity.model_validate_json(text) for text in session.scalars(query)]


def _to_row(identity: Identity) -> IdentityRow:
    return IdentityRow(key_id=identity.key_id, name=identity.name, record=identity.canonical().decode())


def _is_new(identity: Identity, known: Sequence[Identity]) -> bool:
    for other in known:
        if other.key_id == identity.key_id or other.public_key == identity.public_key:
            same = {"name", "key_id", "public_key", "roles"}
            if other.revoked_at is None and other.model_dump(include=same) == identity.model_dump(
                include=same
            ):
                return False
            state = "revoked" if other.revoked_at is not None else f"trusted as {', '.join(other.roles)}"
            raise _taken(identity, found=f"this key is known as {other.name!r}, {state}")
        if other.name == identity.name and other.revoked_at is None:
            raise _taken(identity, found=f"the name belongs to the key {other.key_id[:16]}…")
    return True


def _taken(identity: Identity, *, found: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"trust the key {identity.key_id[:16]}… as {identity.name!r}",
        found=found,
        next_step="choose another name, make a new key, or revoke the old one first",
    )
