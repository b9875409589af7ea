"""Feature events after a position of the log, as rows that models can be asked about.

What is known when: a row holds what one event told, and for columns that look back (``ret_5@10``) what the log had told of
the symbol's earlier sessions when the event came in. The event names the moment (``ts_event``) at which its features were
known, so a row cannot look ahead further than whoever computed the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.labelling import TIMEFRAME, bar_columns
from ordinis_learn.market.lags import split_lag
from ordinis_learn.records import Topic
from ordinis_learn.shadow.look_back import Told, ToldBars, earlier_rows, reach_of, sessions_around

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
        self,
        topic: Topic,
        *,
        start: datetime | None = None,
        after_position: int | None = None,
        until_position: int | None = None,
    ) -> pa.Table:
        """Return events of one type with their payloads as typed columns."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureRows(Told):
    """n events in order of their time; events of one time by their names.

    Attributes
    ----------
    position, ts_event, ts_ingest : int64 arrays, shape (n,)
        Times in microseconds since 1970 (UTC).
    event_id, symbol : lists of str, length n
    names : tuple of str, length F
    values : float64 array, shape (n, F)
        NaN where an event has no such feature.
    """

    ts_ingest: Ints
    event_id: Sequence[str]
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
    calendar : str
        By which sessions are counted where a column looks back.
    """

    def __init__(self, log: ReadableLog, *, source: Source, calendar: str = "XNYS") -> None:
        if source not in SOURCES:
            raise ConfigInvalid(
                "read feature events",
                found=f"the source {source!r}",
                next_step=f"use one of {', '.join(SOURCES)}",
            )
        self.source = source
        self._calendar = calendar
        self._position = log.position
        self._read_columns = log.read_columns

    def position(self) -> int:
        """Return the position of the newest event of any type."""
        return self._position()

    def read(self, *, after: int, until: int, names: Sequence[str]) -> FeatureRows:
        """Return the feature events with ``after < position <= until``.

        A name such as ``ret_5@10`` is what the event says under that very name, else the symbol's ``ret_5`` ten sessions ago. The
        log only grows, so what is read of it twice up to one position is one state.
        """
        rows = self._rows(names, after_position=after, until_position=until)
        lagged = {name: split_lag(name) for name in names if split_lag(name)[1]}
        if not lagged or not len(rows):
            return rows
        ago = sorted({sessions for _, sessions in lagged.values()})
        calendar = sessions_around(rows.ts_event, back=ago[-1], calendar=self._calendar)
        since = reach_of(rows.ts_event, back=ago[-1], calendar=calendar)
        earlier = self._rows(sorted({name for name, _ in lagged.values()}), start=since, until_position=until)
        bars = self._bars(start=since, until=until)
        found = earlier_rows(rows, earlier, bars=bars, ago=ago, calendar=calendar)
        return _looked_back(rows, earlier, lagged=lagged, found=dict(zip(ago, found, strict=True)))

    def _rows(self, names: Sequence[str], **bounds: Any) -> FeatureRows:
        events = self._read_columns(_TOPICS[self.source], **bounds)
        if self.source == "features":
            events = events.filter(pc.equal(events["tf"], _DAILY))
        else:
            # Where two signals of a symbol have one time, datasets take the first by the signal's own name.
            by: Any = [(column, "ascending") for column in ("ts_event", "signal_id", "event_id")]
            events = events.take(pc.sort_indices(events, sort_keys=by))
        return FeatureRows(
            position=_integers(events["position"]),
            ts_event=_integers(events["ts_event"]),
            ts_ingest=_integers(events["ts_ingest"]),
            event_id=events["event_id"].to_pylist(),
            symbol=events["symbol"].to_pylist(),
            names=tuple(names),
            values=_matrix(events["features"].combine_chunks(), tuple(names)),
        )

    def _bars(self, *, start: datetime, until: int) -> ToldBars:
        events = self._read_columns(Topic.BAR, start=start, until_position=until)
        bars = bar_columns(events)
        fit = pc.and_(
            pc.equal(bars["tf"], TIMEFRAME),
            pc.and_(pc.is_finite(bars["close"]), pc.greater(bars["close"], 0)),
        )
        fit = pc.fill_null(fit, False)
        bars = bars.filter(fit)
        return ToldBars(
            position=_integers(events["position"].filter(fit)),
            ts_event=_integers(bars["ts_event"]),
            symbol=bars["symbol"].to_pylist(),
            day=_integers(pc.cast(bars["session"], pa.int32())),
        )


def _looked_back(
    rows: FeatureRows, earlier: FeatureRows, *, lagged: dict[str, tuple[str, int]], found: dict[int, Ints]
) -> FeatureRows:
    values = rows.values.copy()
    for column, (name, sessions) in lagged.items():
        told = np.append(earlier.values[:, earlier.names.index(name)], np.nan)[found[sessions]]
        place = rows.names.index(column)
        values[:, place] = np.where(np.isnan(values[:, place]), told, values[:, place])
    return replace(rows, values=values)


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
