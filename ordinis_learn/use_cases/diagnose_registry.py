"""What the registry's database says of itself, whichever it is; the adapter that looks changes nothing there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ordinis_learn.records import Alert, AuditRecord, Heartbeat

__all__ = ["RegistryLook"]


@dataclass(frozen=True, kw_only=True)
class RegistryLook:
    """What was found at a look.

    Attributes
    ----------
    found : str
        Where it is, without a password, and how it is.
    next_step : str
        What to type where it cannot be used; else empty.
    in_use : bool
        Whether our tables are there, by the schema of this release; where not, nothing is known of what follows.
    beats : mapping
        The newest sign of life of each job.
    alerts : tuple of Alert
        Those that are open, oldest first.
    checkpoint_failure : AuditRecord or None
        The newest checkpoint that could not be written.
    """

    found: str
    next_step: str = ""
    in_use: bool = False
    beats: Mapping[str, Heartbeat] = field(default_factory=dict)
    alerts: tuple[Alert, ...] = ()
    checkpoint_failure: AuditRecord | None = None
