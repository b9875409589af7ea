"""The public keys that the desk trusts, and who said so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.ports import Clock
from ordinis_learn.records import Actor, Identity
from ordinis_registry import ledger
from ordinis_registry._reading import legible
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.models import Base, LedgerRow

__all__ = ["SqlIdentityBook", "known_identities"]

_LEDGER: Final = Base.metadata.tables[LedgerRow.__tablename__]
_QUERY: Final = (
    sa.select(_LEDGER.c.hashed_text)
    .where(
        _LEDGER.c.subject == ledger.EVERYTHING,
        _LEDGER.c.action.in_(("identity.trusted", "identity.retired", "identity.revoked")),
    )
    .order_by(_LEDGER.c.sequence)
)


class SqlIdentityBook:
    """The identity book over SQLAlchemy; every change is a record on the chain ``*``.

    A name belongs to one key that is not revoked. Revoking forgets nothing: what was signed before stays
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
            self._record(session, "identity.trusted", identity, actor=actor)

    def revoke(self, name: str, *, actor: Actor, reason: str, key_id: str = "") -> Identity:
        """Stop trusting a name's key from now on, whatever it signed and when.

        Parameters
        ----------
        name : str
            Whose key.
        actor, reason
            Kept in the ledger.
        key_id : str, optional
            The beginning of the key's id, for a retired one; default is the key that signs now.

        Raises
        ------
        ConfigInvalid
            No such key of the name is trusted.
        """
        at = self._clock()
        with self._database.session() as session:
            ledger.lock(session, ledger.EVERYTHING)
            known = [one for one in known_identities(session) if one.name == name and one.revoked_at is None]
            if key_id:
                fitting = [one for one in known if one.key_id.startswith(key_id)]
            else:
                fitting = [one for one in known if one.signs]
            if len(fitting) != 1:
                raise _not_one(f"revoke the key {key_id} of {name!r}", found=len(fitting))
            revoked = fitting[0].model_copy(update={"revoked_at": at})
            self._record(session, "identity.revoked", revoked, actor=actor, reason=reason)
        return revoked

    def rotate(self, successor: Identity, *, actor: Actor, reason: str) -> Identity:
        """Let a name's next key take over; return the one it replaces, which is retired.

        In one transaction, so that there is never a moment with two keys or none. Roles and groups of
        ``successor`` must be those of the key it replaces: a rotation gives nobody new powers.

        Raises
        ------
        ConfigInvalid
            The name has no key that signs, the new key is known already, or its powers differ.
        """
        with self._database.session() as session:
            ledger.lock(session, ledger.EVERYTHING)
            known = known_identities(session)
            current = [one for one in known if one.name == successor.name and one.signs]
            if len(current) != 1:
                raise _not_one(f"rotate the key of {successor.name!r}", found=len(current))
            retired = current[0].model_copy(update={"retired_at": self._clock()})
            _refuse_new_powers(successor, retired)
            _is_new(successor, [retired if one.key_id == retired.key_id else one for one in known])
            self._record(session, "identity.retired", retired, actor=actor, reason=reason)
            self._record(session, "identity.trusted", successor, actor=actor, reason=reason)
        return retired

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
    """Return every identity, revoked ones too, by name.

    They are read from the ledger and nowhere else: a table of keys beside it could be edited without a trace.
    """
    newest: dict[str, Identity] = {}
    for text in session.scalars(_QUERY):
        identity = _identity_in(text)
        newest[identity.key_id] = identity
    return sorted(newest.values(), key=lambda one: (one.name, one.key_id))


@lru_cache(1024)
def _identity_in(text: str) -> Identity:
    with legible(ledger.EVERYTHING):
        return Identity.model_validate(json.loads(text)["body"]["identity"])


def _is_new(identity: Identity, known: Sequence[Identity]) -> bool:
    for other in known:
        if other.key_id == identity.key_id or other.public_key == identity.public_key:
            same = {"name", "key_id", "public_key", "roles", "groups"}
            if other.signs and other.model_dump(include=same) == identity.model_dump(include=same):
                return False
            state = (
                f"trusted as {', '.join((*other.roles, *other.groups))}"
                if other.signs
                else "no longer in use"
            )
            raise _taken(identity, found=f"this key is known as {other.name!r}, {state}")
        if other.name == identity.name and other.signs:
            raise _taken(identity, found=f"the name belongs to the key {other.key_id[:16]}…")
    return True


def _refuse_new_powers(successor: Identity, retired: Identity) -> None:
    if (successor.roles, successor.groups) != (retired.roles, retired.groups):
        raise ConfigInvalid(
            f"rotate the key of {successor.name!r}",
            found=f"the new one would be trusted as {', '.join((*successor.roles, *successor.groups))}",
            next_step=f"keep to {', '.join((*retired.roles, *retired.groups))}, or revoke it and trust another",
        )


def _not_one(asked: str, *, found: int) -> ConfigInvalid:
    return ConfigInvalid(
        asked,
        found=f"{found or 'no'} trusted key{'s' if found > 1 else ''} fit",
        next_step="ordinis-learn keys list",
    )


def _taken(identity: Identity, *, found: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"trust the key {identity.key_id[:16]}… as {identity.name!r}",
        found=found,
        next_step="choose another name, make a new key, or revoke the old one first",
    )
