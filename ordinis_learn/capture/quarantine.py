"""Another try for what was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ordinis_learn.capture.validation import validate_row
from ordinis_learn.errors import EventInvalid
from ordinis_learn.ports import EventLog

__all__ = ["Retried", "retry"]


@dataclass(frozen=True, kw_only=True)
class Retried:
    """What became of one quarantined entry; ``reason`` says why where it is still bad."""

    digest: str
    outcome: Literal["stored", "seen before", "still bad"]
    reason: str = ""


def retry(log: EventLog, entries: Iterable[Mapping[str, Any]]) -> Iterator[Retried]:
    """Validate quarantined entries with today's schemas and move those that pass into the log.

    Each is stored first and released then. Interrupted in between, the next try finds the event stored,
    stores nothing and releases: it is in the log exactly once.
    """
    for entry in entries:
        try:
            row = validate_row(entry["raw"])
        except EventInvalid as error:
            yield Retried(digest=entry["digest"], outcome="still bad", reason=str(error))
            continue
        stored = log.append_rows([row])
        log.release(entry["digest"])
        yield Retried(digest=entry["digest"], outcome="stored" if stored else "seen before")
