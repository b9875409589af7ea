"""The ledger as its readers see it; writing is done in the transaction of each change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from securesystemslib.signer import CryptoSigner
from sqlalchemy.orm import Session

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.ports import Clock
from ordinis_learn.records import AuditRecord
from ordinis_learn.rollout.policy import Policy
from ordinis_registry import ledger
from ordinis_registry._texts import as_it_is
from ordinis_registry.checkpoint_targets import CheckpointTarget
from ordinis_registry.checkpoints import Checkpoint, verify_checkpoints, write_checkpoint
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.models import HeadRow
from ordinis_registry.replay import Replayed, replay
from ordinis_registry.succession import unlawful_moves
from ordinis_registry.verification import Fault, verify

__all__ = ["SqlLedger"]


class SqlLedger:
    """Read and verify the ledger; see :class:`ordinis_learn.ports.Ledger` for the contract.

    Parameters
    ----------
    database : GovernanceDatabase
        Upgraded to the newest schema.
    checkpoints : CheckpointTarget, optional
        Earlier heads, outside the database; :meth:`verify` compares with all of them.
    clock : Clock, optional
        At which moment a checkpoint's signer must be trusted; default is the system's.
    """

    def __init__(
        self,
        database: GovernanceDatabase,
        *,
        checkpoints: CheckpointTarget | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._checkpoints = checkpoints
        self._clock: Clock = _system_clock if clock is None else clock

    def history(self, subject: str) -> Sequence[AuditRecord]:
        """Return a chain's records, oldest first."""
        with self._database.reading() as session:
            return ledger.history(session, subject)

    def verify(self) -> Sequence[str]:
        """Return one sentence per broken record; nothing when every chain holds."""
        return [str(fault) for fault in self.faults()]

    def faults(self) -> list[Fault]:
        """Return what does not hold, as values."""
        with self._database.reading() as session:
            found = [*verify(session), *_unlawful(session)]
            if self._checkpoints is not None:
                found.extend(verify_checkpoints(session, self._checkpoints, now=self._clock()))
        return found

    def active_at(self, name: str, moment: datetime) -> str | None:
        """Return the version that was ACTIVE at a moment, None when flat."""
        with self._database.reading() as session:
            return ledger.active_at(session, name, moment)

    def replay(self, policy: Policy | None = None) -> Sequence[Replayed]:
        """Make every recorded decision again, under its own policy or under another one."""
        with self._database.reading() as session:
            return replay(session, policy=policy)

    def checkpoint(self, *, at: datetime, signer: CryptoSigner) -> Checkpoint:
        """Write all heads as they are now, signed, outside the database."""
        if self._checkpoints is None:
            raise ConfigInvalid(
                "write a checkpoint",
                found="this ledger was opened without a target",
                next_step="ordinis-learn ledger checkpoint --to file:PATH",
            )
        with self._database.reading() as session:
            return write_checkpoint(session, self._checkpoints, at=at, signer=signer)

    def checkpoints(self) -> int:
        """Return how many checkpoints :meth:`verify` compares with."""
        return 0 if self._checkpoints is None else len(self._checkpoints.lines())


def _unlawful(session: Session) -> Iterator[Fault]:
    with as_it_is(session):
        subjects = session.scalars(sa.select(HeadRow.subject).order_by(HeadRow.subject)).all()
    for subject in subjects:
        yield from unlawful_moves(session, subject)


def _system_clock() -> datetime:
    return datetime.now(UTC)
