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

import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.capture._seal_day import claim_folder, write_day
from ordinis_learn.capture.columns import SCAN_SCHEMA
from ordinis_learn.capture.sealed import Bounds, day_folder, read_sealed
from ordinis_learn.errors import ConfigInvalid, DataCorrupt
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
            ``before`` lies in the future: today is not closed yet. Or the folder is another log's.
        DataCorrupt
            Log and files contradict each other; nothing was changed.
        StoreUnavailable
            Another sealer is at work, or there is no room. Nothing is lost; seal again.
        """
        end = self._closed(before)
        with self._log.sealing():
            claim_folder(self._root, identity=self._log.identity())
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
        known = {one.path: one for one in self._catalogued()}
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

    def _catalogued(self) -> list[Segment]:
        identity = self._log.identity()
        return [one for one in self._catalogue.segments() if one.log_id == identity]

    def _finish(self) -> None:
        """Carry an interrupted sealer's work to its end: to the switch where the files are whole, else back."""
        kept = {one.path for one in self._log.segments()}
        generations = defaultdict(list)
        for one in self._catalogued():
            if one.path not in kept:
                generations[one.event_type, one.day, one.generation].append(one)
        for segments in generations.values():
            hot = self._hot_ids(segments[0])
            as_many = len(hot) == sum(one.rows for one in segments)
            whole = all(self._is_whole(one) for one in segments)
            if as_many and whole and self._hold(segments, hot):
                self._log.switch(segments)
            elif as_many and not whole:
                self._catalogue.drop_segments(segments)
            else:
                raise self._contradiction(segments[0])
        self._log.purge()

    def _hot_ids(self, segment: Segment) -> pa.ChunkedArray:
        """Return the ids of the hot events that a segment's generation was made from."""
        day = HotDay(segment.event_type, segment.day, 0, segment.until_position)
        return pa.chunked_array([batch["event_id"] for batch in self._log.hot_rows(day)], type=pa.string())

    def _hold(self, segments: Sequence[Segment], ids: pa.ChunkedArray) -> bool:
        """Whether the files have every one of these events."""
        schema = pa.schema([SCAN_SCHEMA.field("event_id")])
        sealed = pa.concat_tables(read_sealed(self._root, segments, bounds=Bounds(), schema=schema))
        return bool(pc.all(pc.is_in(ids, value_set=sealed["event_id"].combine_chunks()), min_count=0).as_py())

    def _contradiction(self, segment: Segment) -> DataCorrupt:
        return DataCorrupt(
            f"finish sealing {segment.event_type} of {segment.day}",
            found="log and sealed files hold different events, as after one of them was restored from a backup",
            next_step="restore both of one moment; ordinis-learn events verify names the files",
        )

    def _seal(self, day: HotDay) -> Sequence[Segment]:
        known = [one for one in self._log.segments() if (one.event_type, one.day) == (day.topic, day.day)]
        self._clear(day, {one.path for one in known})
        segments = write_day(
            self._root,
            day,
            self._log.hot_rows(day),
            log_id=self._log.identity(),
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
