"""A source that is opened when it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ordinis_learn.errors import LearnError
from ordinis_learn.ports import MetricSource, Sample

__all__ = ["LazySource"]


class LazySource:
    """Opens another source for the first reading, and anew for the one after a failure.

    So a watcher may start before there is anything to watch, and goes on where a database was away for a while.

    Parameters
    ----------
    name : str
        The source's name, known before it is open.
    opening : callable
        Returns the open source; raises a LearnError where that cannot be done now.
    """

    def __init__(self, name: str, opening: Callable[[], MetricSource]) -> None:
        self.name = name
        self._opening = opening
        self._source: MetricSource | None = None

    def samples(self) -> Iterable[Sample]:
        """Return what the source has to say."""
        if self._source is None:
            self._source = self._opening()
        try:
            return list(self._source.samples())
        except LearnError:
            self._source = None
            raise
