"""What the event log has to say of itself."""

from __future__ import annotations

from collections.abc import Iterator

from ordinis_learn.ports import EventLog, Sample, Tally
from ordinis_learn.records import Topic

__all__ = ["EventLogSource"]


class EventLogSource:
    """Counts what was captured; from the second reading on, only what is new since the one before.

    Parameters
    ----------
    log : EventLog
        Open.
    """

    name = "event_log"

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._tally: Tally | None = None

    def samples(self) -> Iterator[Sample]:
        """Yield what is there now."""
        self._tally = tally = self._log.tally(self._tally)
        for topic in Topic:
            yield Sample("learn_events_total", {"type": topic.value}, tally.counts.get(topic.value, 0))
        yield Sample("learn_event_log_position", {}, tally.position)
        yield Sample("learn_event_segments", {}, tally.segments)
        for code, entries in self._log.quarantine_counts().items():
            yield Sample("learn_quarantine_entries", {"code": code}, entries)
