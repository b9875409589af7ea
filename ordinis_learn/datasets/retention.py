"""Which datasets keep their rows, and why. Manifests and hashes are kept for ever.

A pure function of facts: the same facts give the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["DatasetFacts", "DatasetRetention", "kept_because", "retained"]


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """What decides about the rows of one version.

    ``written_at`` is when its rows were written, or written again; ``used_by`` names the registered versions that
    were trained on it and are not RETIRED; ``held`` is the reason of a legal hold.
    """

    ref: str
    bytes: int
    written_at: datetime
    used_by: tuple[str, ...] = ()
    held: str = ""


@dataclass(frozen=True, kw_only=True)
class DatasetRetention:
    """A dataset with rows on disk and why they are kept; ``kept`` is empty where they may go."""

    ref: str
    bytes: int
    kept: str

    @property
    def goes(self) -> bool:
        """Whether the rows may be pruned."""
        return not self.kept


def retained(facts: Sequence[DatasetFacts], *, now: datetime, days: int) -> list[DatasetRetention]:
    """Say of each dataset whether its rows stay.

    Parameters
    ----------
    facts : sequence of DatasetFacts
        Of datasets whose rows are there.
    now : datetime
        Aware.
    days : int
        ``LEARN_DATASET_RETENTION_DAYS``.
    """
    return [
        DatasetRetention(ref=one.ref, bytes=one.bytes, kept=kept_because(one, now=now, days=days))
        for one in facts
    ]


def kept_because(facts: DatasetFacts, *, now: datetime, days: int) -> str:
    """Return the strongest reason to keep the rows; empty where there is none.

    Examples
    --------
    >>> from datetime import UTC
    >>> written = datetime(2024, 1, 1, tzinfo=UTC)
    >>> old = DatasetFacts(ref="core@1f", bytes=1, written_at=written)
    >>> kept_because(old, now=datetime(2024, 3, 1, tzinfo=UTC), days=90)
    'written 2024-01-01, kept until 2024-03-31'
    >>> kept_because(old, now=datetime(2024, 4, 1, tzinfo=UTC), days=90)
    ''
    """
    if facts.held:
        return f"legal hold: {facts.held}"
    if facts.used_by:
        return f"trained {', '.join(facts.used_by)}"
    until = facts.written_at + timedelta(days=days)
    return f"written {facts.written_at:%Y-%m-%d}, kept until {until:%Y-%m-%d}" if now < until else ""
