"""Feature events after a position of the log, as rows that models can be asked about.

What is known when: a row holds what one event told, nothing else, and the event names the moment (``ts_event``) at which
its features were known. So a row cannot look ahead further than whoever computed the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Topic

__all__ = ["SOURCES", "FeatureFeed", "FeatureRows", "Source"]

Source = Literal["features", "signals"]
"""``features``: ``ordinis.features.vector.computed``, daily ones. ``signals``: what a signal says that it saw."""

SOURCES: Final[tuple[Source, ...]] = get_args(Source)

_TOPICS: Final = {"features": Topic.FEATURES, "signals": Topic.SIGNAL}
_DAILY: Final = "1d"

Ints = npt.NDArray[np.int64]


class ReadableLog(Protocol):
    """The two methods of :class:`~ordinis_learn.ports.EventLog` that reading takes; nothing that writes."""

    def position(self) -> int:
        """Return the position of the newest event."""
        ...

    def read_columns(
        self, topic: Topic, *, after_position: int | None = None, until_position: int | None = None
    ) -> pa.Table:
        """Return events of one type with their payloads as typed columns."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureRows:
    """n events, ordered by (ts_event, event_id).

    Attributes
    ----------
    position, ts_event, ts_ingest : int64 arrays, shape (n,)
        Times in microseconds since 1970 (UTC).
    event_id, symbol : lists of str, length n
    names : tuple of str, length F
    values : float64 array, shape (n, F)
        NaN where an event has no such feature.
    """

    position: Ints
    ts_event: Ints
    ts_ingest: Ints
    event_id: Sequence[str]
    symbol: Sequence[str]
    names: tuple[str, ...]
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.position)

    def columns(self, names: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return the features that a model reads, shape (n, len(names)); each must be among ``self.names``."""
        return self.values[:, [self.names.index(name) for name in names]]


class FeatureFeed:
    """Reads feature events; it can do nothing else.

    Parameters
    ----------
    log : EventLog
        Its ``position`` and ``read_columns`` are used.
    source : {"features", "signals"}
        Which events tell the features.
    """

    def __init__(self, log: ReadableLog, *, source: Source) -> None:
        if source not in SOURCES:
            raise ConfigInvalid(
                "read feature events",
                found=f"the source {source!r}",
                next_step=f"use one of {', '.join(SOURCES)}",
            )
        self.source = source
        self._position = log.position
        self._read_columns = log.read_columns

    def position(self) -> int:
        """Return the position of the newest event of any type."""
        return self._position()

    def read(self, *, after: int, until: int, names: Sequence[str]) -> FeatureRows:
        """Return the feature events with ``after < position <= until``, from one snapshot of the log."""
        events = self._read_columns(_TOPICS[self.source], after_position=after, until_position=until)
        if self.source == "features":
            events = events.filter(pc.equal(events["tf"], _DAILY))
        return FeatureRows(
            position=_integers(events["position"]),
            ts_event=_integers(events["ts_event"]),
            ts_ingest=_integers(events["ts_ingest"]),
            event_id=events["event_id"].to_pylist(),
            symbol=events["symbol"].to_pylist(),
            names=tuple(names),
            values=_matrix(events["features"].combine_chunks(), tuple(names)),
        )


def _integers(column: Any) -> Ints:
    integers: Ints = pc.cast(column, pa.int64()).to_numpy()
    return integers


def _matrix(maps: Any, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Return maps of names to numbers as a matrix with a column per wanted name."""
    values = np.full((len(maps), len(names)), np.nan)
    lengths = np.where(np.asarray(maps.is_valid()), np.diff(np.asarray(maps.offsets)), 0)
    rows = np.repeat(np.arange(len(maps)), lengths)
    told = maps.drop_null()
    place = pc.index_in(told.keys, value_set=pa.array(names, type=pa.string()))
    wanted = np.flatnonzero(np.asarray(place.is_valid()))
    columns = place.take(pa.array(wanted)).to_numpy(zero_copy_only=False)
    values[rows[wanted], columns] = told.items.take(pa.array(wanted)).to_numpy(zero_copy_only=False)
    return values
