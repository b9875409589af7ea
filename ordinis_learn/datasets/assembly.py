"""From the event log to the rows of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.datasets.bucket import feature_columns, label_bucket
from ordinis_learn.datasets.window import first_moment, window_calendar
from ordinis_learn.labelling import (
    BARRIER_RULES,
    EXECUTION_QUERIES,
    FEATURE_PREFIX,
    LABEL_QUERIES,
    POSITION_RULES,
    event_columns,
    first_bars,
    session_table,
)
from ordinis_learn.ports import EventLog
from ordinis_learn.records import DatasetWindow, EventRange, Topic, hash_of

__all__ = ["QUERY_HASH", "TOPICS", "Assembled", "LogReader", "assemble"]

TOPICS: Final = (Topic.SIGNAL, Topic.BAR, Topic.RISK, Topic.INTENT, Topic.EXECUTION)
QUERY_HASH: Final = hash_of(
    [*LABEL_QUERIES, *EXECUTION_QUERIES, BARRIER_RULES, POSITION_RULES], domain="ordinis.dataset.queries"
)
"""One hash over every SQL text and every set of rules that has a part in a dataset."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Assembled:
    """The rows in memory, the names of their features (without prefix), and the events they came from."""

    table: pa.Table
    feature_names: tuple[str, ...]
    event_range: EventRange

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """The names of the feature columns, in the order of ``feature_names``."""
        return tuple(FEATURE_PREFIX + name for name in self.feature_names)


class LogReader:
    """What a window needs of a log, at one position; remembers what it has read.

    The position is taken when the reader is made, and nothing later is looked at, so events that arrive meanwhile do
    not matter. Only what was known at ``window.as_of`` is read. Signals count by their session, not by the date of
    their time stamp.

    Parameters
    ----------
    log : EventLog
        Read topic by topic.
    window : DatasetWindow
        Where reading begins, and the moment of knowledge.
    """

    def __init__(self, log: EventLog, *, window: DatasetWindow) -> None:
        self._log = log
        self._position = log.position()
        self._start = first_moment(window)
        self._end = None if window.as_of is None else window.as_of + timedelta(microseconds=1)
        self._spans: dict[Topic, tuple[int, datetime | None, datetime | None]] = {}

    def read(self, topic: Topic) -> pa.Table:
        """Return a topic's events as typed columns."""
        bounds: dict[str, Any] = {"start": self._start, "end": self._end, "until_position": self._position}
        events = self._log.read_columns(topic, **bounds)
        span = pc.min_max(events["ts_event"]).as_py()
        self._spans[topic] = (events.num_rows, span["min"], span["max"])
        return events

    def event_range(self) -> EventRange:
        """Return what was read."""
        firsts = [first for _, first, _ in self._spans.values() if first is not None]
        lasts = [last for _, _, last in self._spans.values() if last is not None]
        return EventRange(
            types=tuple(topic.value for topic in TOPICS),
            count=sum(rows for rows, _, _ in self._spans.values()),
            first=min(firsts, default=None),
            last=max(lasts, default=None),
            log_position=self._position,
        )


def assemble(log: EventLog, *, window: DatasetWindow) -> Assembled:
    """Read a window from the log and label it in memory, as one bucket."""
    reader = LogReader(log, window=window)
    events = event_columns(reader.read)
    calendar = window_calendar(window)
    prices = first_bars(events.bars, calendar=calendar)
    table = label_bucket(
        events,
        prices=prices,
        sessions=session_table(prices, calendar=calendar),
        window=window,
        features=feature_columns(events.signals),
    )
    unused = [name for name in feature_columns(table) if table[name].null_count == table.num_rows]
    table = table.drop_columns(unused).combine_chunks()
    return Assembled(
        table=table,
        feature_names=tuple(name.removeprefix(FEATURE_PREFIX) for name in feature_columns(table)),
        event_range=reader.event_range(),
    )
