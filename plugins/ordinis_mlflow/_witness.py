"""Checkpoints that the store writes by itself, outside its transactions.

They are written where the witness' key lies in the store's key folder. One that cannot be written is a record
``checkpoint.failed`` on the chain ``*`` and stops nothing, unless ``LEDGER_CHECKPOINT_REQUIRED`` says so: then no
promotion is begun before a checkpoint could be written.
"""

from __future__ import annotations

import logging
from typing import Final

from ordinis_learn.errors import AuditWriteFailed, LearnError, StoreUnavailable
from ordinis_learn.ports import Clock
from ordinis_learn.records import Actor
from ordinis_learn.rollout.keyring_keys import open_key_store
from ordinis_learn.settings import Settings
from ordinis_learn.workbench import WITNESS_IDENTITY
from ordinis_registry import ledger
from ordinis_registry.checkpoint_targets import parse_target
from ordinis_registry.checkpoints import write_checkpoint
from ordinis_registry.database import GovernanceDatabase

__all__ = ["Witness"]

_ATTEMPTS: Final = 8
_LOGGER: Final = logging.getLogger(__name__)
_ACTOR: Final = Actor(name=WITNESS_IDENTITY, kind="claimed")


class Witness:
    """Writes checkpoints of one database.

    Parameters
    ----------
    url : str
        The database.
    settings : Settings
        Where keys and checkpoints are.
    clock : Clock
        Stamps checkpoints.
    """

    def __init__(self, url: str, *, settings: Settings, clock: Clock) -> None:
        self._url = url
        self._settings = settings
        self._keys = open_key_store(settings)
        self._clock = clock

    def require(self) -> None:
        """Write a checkpoint where the settings demand that one can be written; else do nothing.

        Raises
        ------
        AuditWriteFailed
            None could be written.
        """
        if not self._settings.ledger_checkpoint_required:
            return
        try:
            self._write()
        except LearnError as error:
            raise AuditWriteFailed(
                "begin a promotion, which LEDGER_CHECKPOINT_REQUIRED allows only with a checkpoint before it",
                found=error.found,
                next_step=error.next_step,
            ) from error

    def note(self) -> None:
        """Write a checkpoint where there is a witness; record it where that fails."""
        try:
            if self._keys.exists(WITNESS_IDENTITY):
                self._write()
        except LearnError as error:
            self._record_failure(error)

    def _write(self) -> None:
        """Write a checkpoint; begin again where another server was first."""
        for _ in range(_ATTEMPTS):
            try:
                self._write_once()
            except StoreUnavailable as error:
                if not error.data.get("taken"):
                    raise
                taken = error
            else:
                return
        raise taken

    def _write_once(self) -> None:
        signer = self._keys.signer(WITNESS_IDENTITY)
        target = parse_target(
            self._settings.ledger_checkpoint_target, default=self._settings.checkpoints_path
        )
        database = GovernanceDatabase(self._url)
        try:
            with database.reading() as session:
                write_checkpoint(session, target, at=self._clock(), signer=signer)
        finally:
            database.close()

    def _record_failure(self, error: LearnError) -> None:
        body = {
            "target": self._settings.ledger_checkpoint_target,
            "code": error.code,
            "found": error.found,
            "next_step": error.next_step,
        }
        database = GovernanceDatabase(self._url)
        try:
            with database.session() as session:
                ledger.append(
                    session,
                    subject=ledger.EVERYTHING,
                    action="checkpoint.failed",
                    actor=_ACTOR,
                    at=self._clock(),
                    body=body,
                )
        except LearnError as second:
            # The promotion is committed and stays; what remains is to say it where somebody may look.
            _LOGGER.warning(
                "no checkpoint was written (%s), and that could not be recorded: %s", error, second
            )
        finally:
            database.close()
