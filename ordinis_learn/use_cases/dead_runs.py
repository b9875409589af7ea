"""End the runs of processes that were killed: a kill leaves nobody who could."""

from __future__ import annotations

from dataclasses import dataclass

from ordinis_learn.ports import Tracker
from ordinis_learn.training.processes import Process

__all__ = ["EndedRun", "end_dead_runs"]


@dataclass(frozen=True, kw_only=True)
class EndedRun:
    """A run that was still RUNNING, and why it was ended."""

    run_id: str
    reason: str


def end_dead_runs(tracker: Tracker, *, here: Process | None = None) -> tuple[EndedRun, ...]:
    """End every run that a process of this host opened and left RUNNING, as KILLED.

    A run without the tags of a process, or of another host, is left alone: whether its process lives cannot be known
    here. Calling again, or from two processes at once, does no harm.

    Parameters
    ----------
    tracker : Tracker
    here : Process, optional
        Who asks; this process where not given.
    """
    host = (here or Process.here()).host
    ended = []
    for run_id, tags in sorted(tracker.open_runs().items()):
        owner = Process.of_tags(tags)
        if owner is None or not owner.is_gone(seen_from=host):
            continue
        reason = f"process {owner.pid} on {host.partition('/')[0]} ended without closing the run"
        tracker.end_run(run_id, reason=reason)
        ended.append(EndedRun(run_id=run_id, reason=reason))
    return tuple(ended)
