"""A tracker whose runs all lie below one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ordinis_learn.ports import Run, Tracker

__all__ = ["Beneath"]


class Beneath:
    """Opens runs as children of ``parent`` where no other parent is named.

    Parameters
    ----------
    tracker : Tracker
    parent : Run
    """

    def __init__(self, tracker: Tracker, parent: Run) -> None:
        self._tracker = tracker
        self._parent = parent

    def start_run(
        self, name: str, *, parent: Run | None = None, tags: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Run]:
        """Open a run."""
        return self._tracker.start_run(name, parent=parent or self._parent, tags=tags)

    def read_json(self, run_id: str, *, path: str) -> Any:
        """Return a JSON artifact of a run; ArtifactMissing where there is none."""
        return self._tracker.read_json(run_id, path=path)

    def find_run(self, tag: str, value: str) -> str | None:
        """Return the id of a finished run that carries a tag, the newest; None where there is none."""
        return self._tracker.find_run(tag, value)

    def open_runs(self) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of every run that is still RUNNING, by its id."""
        return self._tracker.open_runs()

    def end_run(self, run_id: str, *, reason: str) -> None:
        """End a run whose process is gone as KILLED."""
        self._tracker.end_run(run_id, reason=reason)
