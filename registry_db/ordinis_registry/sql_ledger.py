"""The ledger as its readers see it; writing is done in the transaction of each change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ordinis_learn.records import AuditRecord
from ordinis_learn.rollout.policy import Policy
from ordinis_registry import ledger
from ordinis_registry.checkpoints import Checkpoint, verify_checkpoints, write_checkpoint
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.replay import Replayed, replay
from ordinis_registry.verification import Fault, verify

__all__ = ["SqlLedger"]


class SqlLedger:
    """Read and verify the ledger; see :class:`ordinis_learn.ports.Ledger` for the contract.

    Parameters
    ----------
    database : GovernanceDatabase
        Upgraded to the newest schema.
    checkpoints : Path, optional
        A file outside the database with earlier heads; :meth:`verify` compares with it when it is there.
    """

    def __init__(self, database: GovernanceDatabase, *, checkpoints: Path | None = None) -> None:
        self._database = database
        self._checkpoints = checkpoints

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
            found = verify(session)
            if self._checkpoints is not None:
                found.extend(verify_checkpoints(session, self._checkpoints))
        return found

    def active_at(self, name: str, moment: datetime) -> str | None:
        """Return the version that was ACTIVE at a moment, None when flat."""
        with self._database.reading() as session:
            return ledger.active_at(session, name, moment)

    def replay(self, policy: Policy | None = None) -> Sequence[Replayed]:
        """Make every recorded decision again, under its own policy or under another one."""
        with self._database.reading() as session:
            return replay(session, policy=policy)

    def checkpoint(self, path: Path, *, at: datetime) -> Checkpoint:
        """Write all heads as they are now to a file outside the database."""
        with self._database.reading() as session:
            return write_checkpoint(session, path, at=at)
