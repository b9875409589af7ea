"""Give up the bytes of retired versions that nothing needs any more."""

from __future__ import annotations

from collections.abc import Iterator

from ordinis_learn.errors import LearnError
from ordinis_learn.records import AuditRecord, Retention
from ordinis_learn.workbench import Workbench

__all__ = ["plan", "prune"]


def plan(bench: Workbench) -> list[Retention]:
    """Return every retired version whose bytes are there, newest first, and why they stay or go."""
    return list(bench.registry.retired(keep=bench.settings.learn_retired_models_kept))


def prune(
    bench: Workbench, found: list[Retention]
) -> Iterator[tuple[Retention, AuditRecord | LearnError | None]]:
    """Prune those that may go, one after the other, and yield the ledger's record of each.

    The registry judges each again when it is asked: what came into use meanwhile stays. A version that cannot be
    pruned does not keep the others from it; its error is yielded in place of a record.
    """
    for one in found:
        if not one.goes:
            continue
        try:
            yield one, bench.registry.prune(one.name, one.version)
        except LearnError as error:
            yield one, error
