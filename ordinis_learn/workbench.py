"""Everything a use case needs, put together once by :mod:`ordinis_learn.wiring`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ordinis_learn.capture import EventRecorder, Sealer
from ordinis_learn.ports import (
    AlertBook,
    Catalogue,
    Clock,
    IdentityBook,
    Ledger,
    ModelRegistry,
    Notifier,
    Rehearsal,
    SealableLog,
    Tracker,
)
from ordinis_learn.rollout.keys import KeyStore
from ordinis_learn.settings import Settings
from ordinis_learn.training.provenance import Provenance

__all__ = ["SERVICE_IDENTITY", "WITNESS_IDENTITY", "Workbench"]

SERVICE_IDENTITY = "learn-service"
"""The identity that signs training, evaluation and shadow statements. It may not approve."""
WITNESS_IDENTITY = "ledger-witness"
"""The identity that signs checkpoints of the ledger."""


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """The adapters and values behind the ports.

    ``close`` releases files and connections; :class:`ordinis_learn.LearningEngine` calls it on exit.
    ``provenance`` is a function because asking git costs tens of milliseconds and few calls need it.
    """

    settings: Settings
    clock: Clock
    log: SealableLog
    recorder: EventRecorder
    sealer: Sealer
    catalogue: Catalogue
    ledger: Ledger
    identities: IdentityBook
    registry: ModelRegistry
    tracker: Tracker
    keys: KeyStore
    alerts: AlertBook
    notifier: Notifier
    rehearse: Rehearsal
    provenance: Callable[[], Provenance]
    close: Callable[[], None]
