"""From the event log to the rows of a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.datasets.bucket import feature_columns, label_bucket
from ordinis_learn.datasets.buckets import write_events
from ordinis_learn.datasets.content import bucketed_sha256, column_types
from ordinis_learn.datasets.execution import Executor
from ordinis_learn.datasets.jobs import LabelledFiles, label_events
from ordinis_learn.datasets.storage import TableFile, is_local, move, read_parquet
from ordinis_learn.datasets.window import first_moment, window_calendar
from ordinis_learn.labelling import (
    BARRIER_RULES,
    EXECUTION_QUERIES,
    FEATURE_PREFIX,
    LABEL_QUERIES,
    POSITION_RULES,
    TOPIC_COLUMNS,
    bar_columns,
    event_columns,
    first_bars,
    session_table,
    stray_bars,
)
from ordinis_learn.ports import EventLog
from ordinis_learn.records import DatasetFile, DatasetWindow, EventRange, Topic, hash_of

if TYPE_CHECKING:
    from upath import UPath

__all__ = [
    "QUERY_HASH",
    "Assembled",
    "AssembledFiles",
    "LogReader",
    "Rows",
    "assemble",
    "assemble_in_buckets",
]

QUERY_HASH: Final = hash_of(
    [*LABEL_QUERIES, *EXECUTION_QUERIES, BARRIER_RULES, POSITION_RULES], domain="ordinis.dataset.queries"
)
"""One hash over every SQL text and every set of rules that has a part in a dataset."""


class Rows(Protocol):
    """The rows of a dataset that has no name yet."""

    @property
    def event_range(self) -> EventRange:
        """The events they came from."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features' own names."""
        ...

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """The names of the feature columns, in the order of ``feature_names``."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Arrow type by column, in order."""
        ...

    @property
    def num_rows(self) -> int:
        """How many there are."""
        ...

    @property
    def content_sha256(self) -> str:
        """The identity of the rows; see :mod:`ordinis_learn.datasets.content`."""
        ...

    @property
    def data(self) -> Any:
        """All rows: a ``pa.Table``, or a ``pyarrow.dataset.Dataset`` that is not in memory."""
        ...

    def read(self, names: Sequence[str]) -> pa.Table:
        """Return some columns of all rows."""
        ...

    def place(self, folder: Path) -> tuple[DatasetFile, ...]:
        """Put the data files into a folder, once."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Assembled:
    """Rows in memory; see :class:`Rows`."""

    table: pa.Table
    feature_names: tuple[str, ...]
    event_range: EventRange

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """The names of the feature columns, in the order of ``feature_names``."""
        return tuple(FEATURE_PREFIX + name for name in self.feature_names)

    @property
    def columns(self) -> Mapping[str, str]:
        """Arrow type by column, in order."""
        return column_types(self.table)

    @property
    def num_rows(self) -> int:
        """How many there are."""
        return int(self.table.num_rows)

    @cached_property
    def content_sha256(self) -> str:
        """The identity of the rows."""
        return bucketed_sha256(self.table)

    @property
    def data(self) -> pa.Table:
        """All rows."""
        return self.table

    def read(self, names: Sequence[str]) -> pa.Table:
        """Return some columns."""
        return self.table.select(names)

    def place(self, folder: Path) -> tuple[DatasetFile, ...]:
        """Write one file."""
        return TableFile(table=self.table).place(folder)


@dataclass(frozen=True, kw_only=True, eq=False)
class AssembledFiles:
    """Rows in one Parquet file per bucket of symbols; see :class:`Rows`."""

    folder: Path
    labelled: LabelledFiles
    event_range: EventRange

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features' own names."""
        return tuple(name.removeprefix(FEATURE_PREFIX) for name in self.labelled.features)

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """The names of the feature columns, in the order of ``feature_names``."""
        return self.labelled.features

    @property
    def columns(self) -> Mapping[str, str]:
        """Arrow type by column, in order."""
        return self.labelled.columns

    @property
    def num_rows(self) -> int:
        """How many there are."""
        return self.labelled.rows

    @property
    def content_sha256(self) -> str:
        """The identity of the rows."""
        return self.labelled.content_sha256

    @property
    def data(self) -> Any:
        """All rows, read as they are asked for."""
        import pyarrow.dataset  # noqa: PLC0415  imports pandas

        paths = [self.folder / file.path for file in self.labelled.files]
        if is_local(self.folder):
            return pyarrow.dataset.dataset([str(path) for path in paths])
        remote = cast("list[UPath]", paths)
        return pyarrow.dataset.dataset([path.path for path in remote], filesystem=remote[0].fs)

    def read(self, names: Sequence[str]) -> pa.Table:
        """Return some columns of all files."""
        tables = [read_parquet(self.folder / file.path, columns=names) for file in self.labelled.files]
        return pa.concat_tables(tables)

    def place(self, folder: Path) -> tuple[DatasetFile, ...]:
        """Move the files."""
        for file in self.labelled.files:
            move(self.folder / file.path, folder / file.path)
        return self.labelled.files


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
        self._calendar = window_calendar(window)
        self._spans: dict[Topic, tuple[int, datetime | None, datetime | None]] = {}
        self._bars_off_calendar = 0

    def read(self, topic: Topic) -> pa.Table:
        """Return a topic's events as typed columns."""
        bounds: dict[str, Any] = {"start": self._start, "end": self._end, "until_position": self._position}
        events = self._log.read_columns(topic, **bounds)
        span = pc.min_max(events["ts_event"]).as_py()
        self._spans[topic] = (events.num_rows, span["min"], span["max"])
        if topic is Topic.BAR:
            events = bar_columns(events)
            self._bars_off_calendar = stray_bars(events, calendar=self._calendar)
        return events

    def event_range(self) -> EventRange:
        """Return what was read."""
        firsts = [first for _, first, _ in self._spans.values() if first is not None]
        lasts = [last for _, _, last in self._spans.values() if last is not None]
        return EventRange(
            types=tuple(topic.value for topic in TOPIC_COLUMNS),
            count=sum(rows for rows, _, _ in self._spans.values()),
            first=min(firsts, default=None),
            last=max(lasts, default=None),
            log_position=self._position,
            bars_off_calendar=self._bars_off_calendar,
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


def assemble_in_buckets(
    log: EventLog, *, window: DatasetWindow, buckets: int, executor: Executor, folder: Path
) -> AssembledFiles:
    """Read a window from the log, and label it in buckets of symbols; all files are below the folder.

    One topic of the log is in memory at a time, then one bucket per worker.
    """
    reader = LogReader(log, window=window)
    events = write_events(reader.read, url=str(folder / "events"), buckets=buckets)
    rows = folder / "rows"
    labelled = label_events(events, window=window, executor=executor, target=str(rows))
    return AssembledFiles(folder=rows, labelled=labelled, event_range=reader.event_range())
