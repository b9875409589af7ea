"""Follow the log: ask both models about each feature event, keep what they said, go on from there.

What it is given can read feature events, start isolated models and write one file of predictions. There is no recorder, no
registry, no bus and no broker within reach of it, and the models are in processes of their own: nothing that a candidate
says or does leads to an order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import DataCorrupt, ShadowSetAside
from ordinis_learn.ports import Clock
from ordinis_learn.shadow.answer import Answer, Outcome
from ordinis_learn.shadow.feed import FeatureFeed, FeatureRows
from ordinis_learn.shadow.store import Said, ScoredRow, ShadowStore

__all__ = ["CHUNK_POSITIONS", "AskableModel", "Incumbents", "Progress", "ShadowRunner"]

CHUNK_POSITIONS: Final = 20_000
"""How many positions of the log are read and kept at once; a killed runner repeats at most these."""

VOLATILITY: Final = "vol_20"
"""The feature by which the desk's volatility limit is judged."""

_MOST_ROWS: Final = 1024

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]


class AskableModel(Protocol):
    """A model that answers whatever happens; :class:`~ordinis_learn.shadow.isolated.IsolatedModel` keeps that in a process."""

    feature_names: tuple[str, ...]
    """The columns of ``ask``'s argument; empty before the start."""

    @property
    def gave_up(self) -> bool:
        """Whether it was silent so often in a row that it is not asked any more."""
        ...

    def start(self) -> None:
        """Load the model; DataCorrupt where it cannot be."""
        ...

    def ask(self, rows: npt.NDArray[np.float64]) -> Answer:
        """Return what the model says about rows of shape (n, F); never raise for what the model does."""
        ...

    def forgive(self) -> None:
        """Ask again also where the model was silent too often."""
        ...

    def close(self) -> None:
        """Let go of the model."""
        ...


class Incumbents(Protocol):
    """Which version a candidate is to be seen beside, and where its bundle lies."""

    def versions(self, ts_ingest: Ints) -> Sequence[str | None]:
        """Return for each event the version that was ACTIVE when it came in; None where there was none to beat."""
        ...

    def folder(self, version: str) -> Path:
        """Return the folder of a version's bundle, verified against its digest."""
        ...


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a call added: rows, rows without a usable answer of the candidate, and where it has arrived."""

    rows: int
    failures: int
    position: int


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """The rows of a chunk up to the position before the first event that one of the models was not asked about."""

    rows: list[ScoredRow]
    reached: int
    silent: str = ""


class ShadowRunner:
    """Score feature events by a candidate and whatever is active beside it.

    Parameters
    ----------
    feed : FeatureFeed
        Reads the log.
    store : ShadowStore
        Keeps the answers and the position.
    candidate : Path
        The candidate's bundle, verified.
    incumbents : Incumbents
        Says what was active.
    open_model : callable
        Makes an isolated model of a folder.
    clock : Clock
        Stamps rows; nothing else depends on it, so a clock that jumps changes no number.
    chunk : int
        See :data:`CHUNK_POSITIONS`.
    """

    def __init__(
        self,
        feed: FeatureFeed,
        *,
        store: ShadowStore,
        candidate: Path,
        incumbents: Incumbents,
        open_model: Callable[[Path], AskableModel],
        clock: Clock,
        chunk: int = CHUNK_POSITIONS,
    ) -> None:
        self._feed = feed
        self._store = store
        self._incumbents = incumbents
        self._open_model = open_model
        self._clock = clock
        self._chunk = chunk
        self._candidate = open_model(candidate)
        self._active: tuple[str, AskableModel] | None = None

    def catch_up(
        self, *, until: int | None = None, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Progress]:
        """Score what the log holds now, up to a position, and say after each chunk what was kept.

        Raises
        ------
        DataCorrupt
            The log ends before the position that is kept: it is another one, or an older copy.
        StoreUnavailable
            Log or predictions cannot be used; nothing of the chunk in hand was kept, and the next run begins with it.
        ShadowSetAside
            A model was silent so often in a row that asking on would make errors of events that it was never asked about. Its silences
            and all before them are kept; the next call asks about the next event.
        """
        after = self._store.position
        newest = self._feed.position()
        if newest < after:
            raise DataCorrupt(
                "go on with a shadow run",
                found=f"predictions reach position {after}, the event log ends at {newest}",
                next_step="restore the event log and data/shadow/ of one moment",
            )
        end = newest if until is None else min(newest, until)
        while after < end and not stop():
            reached = min(after + self._chunk, end)
            scored = self._score(after=after, until=reached)
            self._store.append(scored.rows, after=after, position=scored.reached)
            after = scored.reached
            failures = sum(row.candidate.outcome != Outcome.SCORED for row in scored.rows)
            yield Progress(rows=len(scored.rows), failures=failures, position=after)
            if scored.silent:
                raise self._set_aside(scored.silent, position=after)

    def close(self) -> None:
        """End the models' processes."""
        self._candidate.close()
        if self._active is not None:
            self._active[1].close()

    def _set_aside(self, silent: str, *, position: int) -> ShadowSetAside:
        for model in (self._candidate, *(() if self._active is None else (self._active[1],))):
            model.forgive()
        return ShadowSetAside(
            "score the events of the log",
            found=f"{silent} did not answer in time, several events in a row; all up to position {position} is kept",
            next_step="see what holds the machine up, or raise LEARN_SHADOW_TIME_LIMIT_S; the next run goes on behind that position",
        )

    def _score(self, *, after: int, until: int) -> _Scored:
        if not self._candidate.feature_names:
            self._candidate.start()
        names = self._candidate.feature_names
        events = self._feed.read(after=after, until=until, names=sorted({*names, VOLATILITY}))
        if not len(events):
            return _Scored(rows=[], reached=until)
        versions = list(self._incumbents.versions(events.ts_ingest))
        candidate = _ask(self._candidate, events, np.arange(len(events)))
        silent = "the version in shadow" if self._candidate.gave_up else ""
        active = self._beside(events, versions, asked=candidate, after=after, until=until)
        if not silent and (len(active) < len(candidate) or (self._active and self._active[1].gave_up)):
            silent = "the active version"
        unasked = [int(events.position[n]) for n in range(len(events)) if n not in active]
        reached = min(unasked, default=until + 1) - 1
        now = int(self._clock().timestamp() * 1e6)
        volatility = events.columns([VOLATILITY])[:, 0].tolist()
        rows = [
            ScoredRow(
                position=int(events.position[n]),
                event_id=events.event_id[n],
                symbol=events.symbol[n],
                ts_event=int(events.ts_event[n]),
                ts_ingest=int(events.ts_ingest[n]),
                scored_at=now,
                volatility=_number(volatility[n]),
                candidate=candidate[n],
                active_version=versions[n],
                active=active[n],
            )
            for n in sorted(active)
            if events.position[n] <= reached
        ]
        return _Scored(rows=rows, reached=reached, silent=silent)

    def _beside(
        self,
        events: FeatureRows,
        versions: Sequence[str | None],
        *,
        asked: Mapping[int, Said],
        after: int,
        until: int,
    ) -> dict[int, Said]:
        """Ask each version that was active about the events that came in its time and that the candidate was asked about."""
        said = {row: Said() for row in asked if versions[row] is None}
        for version in sorted({version for row in asked if (version := versions[row]) is not None}):
            model = self._incumbent(version)
            names = model.feature_names
            if not set(names) <= set(events.names):
                events = self._feed.read(after=after, until=until, names=sorted({*events.names, *names}))
            said |= _ask(model, events, np.array([row for row in sorted(asked) if versions[row] == version]))
        return said

    def _incumbent(self, version: str) -> AskableModel:
        if self._active is not None and self._active[0] == version:
            return self._active[1]
        if self._active is not None:
            self._active[1].close()
            self._active = None
        model = self._open_model(self._incumbents.folder(version))
        model.start()
        self._active = version, model
        return model


def _ask(model: AskableModel, events: FeatureRows, rows: Rows) -> dict[int, Said]:
    """Ask about the given rows, those of one moment in one call, as the desk does at a close.

    Calls are made in the order of the log, so that whatever a model that gave up was asked about lies before the rest.
    """
    values = events.columns(model.feature_names)
    complete = np.asarray(np.isfinite(values).all(axis=1), dtype=np.bool_)
    said = {int(row): Said(outcome=Outcome.MISSING.value) for row in rows if not complete[row]}
    calls = _calls(rows[complete[rows]], events.ts_event)
    for call in sorted(calls, key=lambda call: int(events.position[call].min())):
        if model.gave_up:
            break
        said |= _one_call(model, values, call, events.position)
    return said


def _one_call(
    model: AskableModel, values: npt.NDArray[np.float64], call: Rows, position: Ints
) -> dict[int, Said]:
    answer = model.ask(values[call])
    if answer.outcome[0] is Outcome.ERROR and len(call) > 1 and len(set(answer.outcome)) == 1:
        # Something in it makes the model fail: row by row, the others have an answer.
        said: dict[int, Said] = {}
        for single in call[np.argsort(position[call])]:
            if model.gave_up:
                break
            said |= _said(model.ask(values[[single]]), call=np.array([single]), at=position)
        return said
    return _said(answer, call=call, at=position)


def _said(answer: Answer, *, call: Rows, at: Ints) -> dict[int, Said]:
    first, latency = int(at[call].min()), _number(answer.latency_us)
    error = answer.error or None
    return {
        int(row): Said(
            outcome=outcome.value,
            direction=_number(direction),
            confidence=_number(confidence),
            expected_return=_number(expected),
            latency_us=latency,
            call=first,
            error=error if outcome not in {Outcome.SCORED, Outcome.NAN} else None,
        )
        for row, outcome, direction, confidence, expected in zip(
            call,
            answer.outcome,
            answer.direction.tolist(),
            answer.confidence.tolist(),
            answer.expected_return.tolist(),
            strict=True,
        )
    }


def _calls(rows: Rows, moment: Ints) -> Iterator[Rows]:
    """Cut rows where the moment changes, and where a call would get too large."""
    if not len(rows):
        return
    for group in np.split(rows, np.flatnonzero(np.diff(moment[rows])) + 1):
        for begin in range(0, len(group), _MOST_ROWS):
            yield group[begin : begin + _MOST_ROWS]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
