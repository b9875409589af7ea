"""Closed days leave the hot log for sealed files, exactly once.

The steps for one event type and day, each durable before the next begins:

1. the hot rows are written to files under other names, synced, renamed, and their folders synced;
2. the files are entered into the catalogue in the governance database, with their SHA-256;
3. the log switches: in one short transaction readers see the files in place of the hot rows;
4. the hot rows are removed in short transactions, while writers go on; their ids stay known.

Killed before 2, nothing happened: the next sealer overwrites the files. Killed after 2, the next sealer
finishes: the catalogue's files are there with their hashes, so it switches and removes. What is sealed is the
same in every case. Events that come later for a sealed day are hot again, and become the next generation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from ordinis_learn.capture._seal_day import write_day
from ordinis_learn.capture.sealed import day_folder
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.ports import Clock, HotDay, SealableLog, SegmentCatalogue
from ordinis_learn.records import Segment, file_sha256

__all__ = ["Sealer"]


class Sealer:
    """Moves closed days of a log into sealed files. Any number may try; one at a time works.

    Parameters
    ----------
    log : SealableLog
        What is sealed.
    catalogue : SegmentCatalogue
        Remembers every file, outside the log.
    root : Path
        The folder of sealed files, the same that the log reads.
    buckets : int
        ``LEARN_SEAL_BUCKETS``: parts of the symbols from now on; files keep the number they were sealed with.
    clock : Clock
        Says which days are closed.
    """

    def __init__(
        self, log: SealableLog, catalogue: SegmentCatalogue, *, root: Path, buckets: int, clock: Clock
    ) -> None:
        self._log = log
        self._catalogue = catalogue
        self._root = root
        self._buckets = buckets
        self._clock = clock

    def plan(self, *, before: date | None = None) -> Sequence[HotDay]:
        """Return what would be sealed: days before a date, today (UTC) where not given."""
        return self._log.hot_days(before=self._closed(before))

    def seal(self, *, before: date | None = None) -> Iterator[tuple[HotDay, Sequence[Segment]]]:
        """Seal closed days, oldest first, and yield each with its files once they are all readers see.

        What an interrupted sealer left is finished or discarded first.

        Raises
        ------
        ConfigInvalid
            ``before`` lies in the future: today is not closed yet.
        StoreUnavailable
            Another sealer is at work, or there is no room. Nothing is lost; seal again.
        """
        end = self._closed(before)
        with self._log.sealing():
            self._finish()
            for day in self._log.hot_days(before=end):
                yield day, self._seal(day)

    def sealed(self) -> Mapping[str, int]:
        """Return how many events of each type are sealed."""
        counted: Counter[str] = Counter()
        for one in self._log.segments():
            counted[one.event_type.value] += one.rows
        return counted

    def verify(self) -> Iterator[str]:
        """Yield one sentence for every sealed file that is not what catalogue and log remember."""
        kept = {one.path: one for one in self._log.segments()}
        known = {one.path: one for one in self._catalogue.segments()}
        for path in sorted(kept.keys() | known.keys()):
            yield from self._faults(path, kept.get(path), known.get(path))

    def _closed(self, before: date | None) -> date:
        today = self._clock().date()
        if before is not None and before > today:
            raise ConfigInvalid(
                f"seal the days before {before}",
                found=f"today is {today} (UTC), and a day is closed when it is over",
                next_step=f"use --before {today} or an earlier date",
            )
        return before or today

    def _finish(self) -> None:
        """Carry an interrupted sealer's work to its end: to the switch where the files are whole, else back."""
        kept = {one.path for one in self._log.segments()}
        open_ones = defaultdict(list)
        for one in self._catalogue.segments():
            if one.path not in kept:
                open_ones[one.event_type, one.day, one.generation].append(one)
        for segments in open_ones.values():
            if all(self._is_whole(one) for one in segments):
                self._log.switch(segments)
            else:
                self._catalogue.drop_segments(segments)
        self._log.purge()

    def _seal(self, day: HotDay) -> Sequence[Segment]:
        known = [one for one in self._log.segments() if (one.event_type, one.day) == (day.topic, day.day)]
        self._clear(day, {one.path for one in known})
        segments = write_day(
            self._root,
            day,
            self._log.hot_rows(day),
            buckets=self._buckets,
            generation=1 + max((one.generation for one in known), default=0),
        )
        self._catalogue.add_segments(segments)
        self._log.switch(segments)
        self._log.purge()
        return segments

    def _clear(self, day: HotDay, known: set[str]) -> None:
        """Remove what a killed sealer left of a day, also where it had another number of buckets."""
        for file in (self._root / day_folder(day)).glob("*/*"):
            if file.relative_to(self._root).as_posix() not in known:
                file.unlink()

    def _is_whole(self, segment: Segment) -> bool:
        path = self._root / segment.path
        return path.is_file() and file_sha256(path) == segment.sha256

    def _faults(self, path: str, kept: Segment | None, known: Segment | None) -> Iterator[str]:
        file = self._root / path
        if known is None:
            yield f"{path}: the log reads it, the catalogue does not know it"
        elif kept is None:
            yield f"{path}: the catalogue knows it, the log does not read it; ordinis-learn events seal finishes it"
        elif kept != known:
            yield f"{path}: the log and the catalogue remember it differently"
        segment = known or kept
        if segment is not None and not file.is_file():
            yield f"{path}: the file is gone ({segment.rows} events)"
        elif segment is not None and file_sha256(file) != segment.sha256:
            yield f"{path}: its bytes are not those that were sealed ({segment.rows} events)"
