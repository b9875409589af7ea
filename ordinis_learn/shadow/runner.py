"""Follow the log: ask both models about each feature event, keep what they said, go on from there.

What it is given can read feature events, start isolated models and write one file of predictions. There is no recorder, no
registry, no bus and no broker within reach of it, and the models are in processes of their own: nothing that a candidate
says or does leads to an order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import DataCorrupt
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
            rows = self._score(after=after, until=reached)
            self._store.append(rows, after=after, position=reached)
            after = reached
            failures = sum(row.candidate.outcome != Outcome.SCORED for row in rows)
            yield Progress(rows=len(rows), failures=failures, position=reached)

    def close(self) -> None:
        """End the models' processes."""
        self._candidate.close()
        if self._active is not None:
            self._active[1].close()

    def _score(self, *, after: int, until: int) -> list[ScoredRow]:
        if not self._candidate.feature_names:
            self._candidate.start()
        names = self._candidate.feature_names
        events = self._feed.read(after=after, until=until, names=sorted({*names, VOLATILITY}))
        if not len(events):
            return []
        versions = list(self._incumbents.versions(events.ts_ingest))
        self._candidate.forgive()
        candidate = _ask(self._candidate, events, np.arange(len(events)))
        active = self._beside(events, versions, after=after, until=until)
        now = int(self._clock().timestamp() * 1e6)
        volatility = events.columns([VOLATILITY])[:, 0].tolist()
        return [
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
            for n in range(len(events))
        ]

    def _beside(
        self, events: FeatureRows, versions: Sequence[str | None], *, after: int, until: int
    ) -> list[Said]:
        """Ask each version that was active about the events that came in its time."""
        said = [Said()] * len(events)
        for version in sorted({version for version in versions if version is not None}):
            model = self._incumbent(version)
            names = model.feature_names
            if not set(names) <= set(events.names):
                events = self._feed.read(after=after, until=until, names=sorted({*events.names, *names}))
            rows = np.flatnonzero([version == other for other in versions])
            model.forgive()
            for row, answer in _ask(model, events, rows).items():
                said[row] = answer
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
    """Ask about the given rows, those of one moment in one call, as the desk does at a close."""
    values = events.columns(model.feature_names)
    complete = np.asarray(np.isfinite(values).all(axis=1), dtype=np.bool_)
    said = {int(row): Said(outcome=Outcome.MISSING.value) for row in rows if not complete[row]}
    for call in _calls(rows[complete[rows]], events.ts_event):
        said |= _one_call(model, values, call, events.position)
    return said


def _one_call(
    model: AskableModel, values: npt.NDArray[np.float64], call: Rows, position: Ints
) -> dict[int, Said]:
    answer = model.ask(values[call])
    if answer.outcome[0] is Outcome.ERROR and len(call) > 1 and len(set(answer.outcome)) == 1:
        # Something in it makes the model fail: row by row, the others have an answer.
        return {
            row: one
            for single in call
            for row, one in _said(model.ask(values[[single]]), call=np.array([single]), at=position).items()
        }
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
