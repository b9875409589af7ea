"""Which policy decides in a registry where no setting names one, and how that is changed on the record.

A release may bring another default, but a registry goes on with the packaged policy that decided in it *first* until
somebody adopts another: that is a record ``policy.adopted`` on the ledger's chain ``*``. First and not last: a single
process started with ``GOV_POLICY_VERSION`` would otherwise change what decides for everybody after it, and no record
would say so. First is by the ledger's order; the time at which a policy was kept is what some process's clock said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.ports import Clock
from ordinis_learn.records import Actor, AuditRecord
from ordinis_learn.rollout.policy import DEFAULT_POLICY, Policy, packaged_policies
from ordinis_registry import ledger
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.models import LedgerRow, PolicyRow
from ordinis_registry.policies import refuse_changed

__all__ = ["ADOPTED", "PolicyChoice", "SqlPolicyBook", "adopt_policy", "choose_policy"]

ADOPTED: Final = "policy.adopted"
_BATCH: Final = 16
"""Records read at once: the first decision is nearly always in the first of them."""


class SqlPolicyBook:
    """What a registry's database says about which policy decides.

    Parameters
    ----------
    url : str
        The database.
    exists : bool
        Whether it is there; it is not made by reading.
    server : str
        The address of the server in front of it, empty where there is none: only beside its database is one adopted.
    clock : Clock
    """

    def __init__(self, url: str, *, exists: bool, server: str = "", clock: Clock) -> None:
        self._url = url
        self._exists = exists
        self._server = server
        self._clock = clock

    def choice(self, setting: str | None) -> PolicyChoice:
        """Return which policy decides and why, see :func:`choose_policy`; nothing is written."""
        if setting:
            return PolicyChoice(policy_id=setting, why="set")
        if not self._exists:
            return PolicyChoice(policy_id=DEFAULT_POLICY, why="default")
        with self._opened() as database, database.reading() as session:
            return choose_policy(session, setting=None)

    def adopt(self, policy: Policy, *, actor: Actor, reason: str) -> AuditRecord:
        """Record that a policy decides from now on.

        Raises
        ------
        ConfigInvalid
            The registry is behind a server, or see :func:`adopt_policy`.
        """
        if self._server:
            raise ConfigInvalid(
                f"adopt the policy {policy.policy_id!r}",
                found=f"the registry is behind {self._server}",
                next_step="type it where the server runs, with its ORDINIS_HOME and MLFLOW_REGISTRY_URI",
            )
        with self._opened() as database:
            database.upgrade()
            with database.session() as session:
                return adopt_policy(session, policy, actor=actor, at=self._clock(), reason=reason)

    @contextmanager
    def _opened(self) -> Iterator[GovernanceDatabase]:
        database = GovernanceDatabase(self._url)
        try:
            yield database
        finally:
            database.close()


@dataclass(frozen=True, kw_only=True)
class PolicyChoice:
    """A policy's id and why it is the one that decides."""

    policy_id: str
    why: Literal["set", "adopted", "decided first here", "default"]


def choose_policy(session: Session, *, setting: str | None) -> PolicyChoice:
    """Return what decides: the setting, else the policy adopted last, else the packaged one that decided first, else the default.

    A database that has no governance tables yet has the default.
    """
    if setting:
        return PolicyChoice(policy_id=setting, why="set")
    tables = set(sa.inspect(session.connection()).get_table_names())
    if LedgerRow.__tablename__ not in tables or PolicyRow.__tablename__ not in tables:
        return PolicyChoice(policy_id=DEFAULT_POLICY, why="default")
    newest = next(ledger.newest(session, ledger.EVERYTHING, action=ADOPTED), None)
    if newest is not None:
        return PolicyChoice(policy_id=str(newest.body["policy_id"]), why="adopted")
    decided = _first_decider(session)
    if decided is not None:
        return PolicyChoice(policy_id=decided, why="decided first here")
    return PolicyChoice(policy_id=DEFAULT_POLICY, why="default")


def _first_decider(session: Session) -> str | None:
    """Return the packaged policy of the ledger's first decision by one; None where none has decided."""
    packaged = packaged_policies()
    used = sa.select(PolicyRow.policy_id).where(PolicyRow.policy_id.in_(packaged)).distinct()
    kept = sorted(session.scalars(used))
    if len(kept) < 2:  # the usual case, for which no record has to be read
        return kept[0] if kept else None
    named = [LedgerRow.hashed_text.contains(f'"policy_id":"{one}"', autoescape=True) for one in kept]
    query = sa.select(LedgerRow.hashed_text).where(sa.or_(*named)).order_by(LedgerRow.position)
    with closing(session.scalars(query.execution_options(yield_per=_BATCH))) as texts:
        return next((decider for text in texts if (decider := _decider(text)) in kept), None)


def _decider(text: str) -> str | None:
    """Return the policy of a record's decision; None where it has none, or cannot be read: verifying the chain says that."""
    try:
        return str(json.loads(text)["body"]["decision"]["policy_id"])
    except (ValueError, LookupError, TypeError):
        return None


def adopt_policy(session: Session, policy: Policy, *, actor: Actor, at: datetime, reason: str) -> AuditRecord:
    """Record that a policy decides from now on; stores that start later follow it where no setting names another.

    Raises
    ------
    ConfigInvalid
        It is adopted already, its id has decided with other content, or no reason is given.
    """
    asked = f"adopt the policy {policy.policy_id!r}"
    if not reason.strip():
        raise ConfigInvalid(
            asked, found="no reason", next_step="say why with --reason 'why': the ledger keeps it"
        )
    head = ledger.lock(session, ledger.EVERYTHING)
    before = choose_policy(session, setting=None)
    if (before.policy_id, before.why) == (policy.policy_id, "adopted"):
        raise ConfigInvalid(
            asked, found="it is adopted already", next_step="ordinis-learn policy show prints what it asks"
        )
    refuse_changed(session, policy_id=policy.policy_id, source_sha256=policy.source_sha256)
    body = {
        "policy_id": policy.policy_id,
        "policy_hash": policy.policy_hash,
        "source_sha256": policy.source_sha256,
        "before": before.policy_id,
        "reason": reason.strip(),
    }
    return ledger.append(
        session, subject=ledger.EVERYTHING, action=ADOPTED, actor=actor, at=at, body=body, head=head
    )
