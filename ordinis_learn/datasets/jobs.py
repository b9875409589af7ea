"""Labelling in buckets: what one worker does, and how the answers come together.

A worker reads one bucket, labels it, writes one file and answers with hashes and counts. What it does depends on
nothing but its job, and its file appears whole, so a job that was lost is simply done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ordinis_learn.datasets.bucket import label_bucket
from ordinis_learn.datasets.buckets import BucketedEvents
from ordinis_learn.datasets.content import Leaf, column_types, hash_leaves, leaf_of, leaves_sha256
from ordinis_learn.datasets.execution import Executor
from ordinis_learn.datasets.storage import write_parquet
from ordinis_learn.datasets.window import window_calendar
from ordinis_learn.labelling import SessionCalendar, first_bars, session_table
from ordinis_learn.locations import locate
from ordinis_learn.records import DatasetFile, DatasetWindow

__all__ = ["BucketJob", "BucketResult", "LabelledFiles", "label_events", "run_bucket"]


@dataclass(frozen=True, kw_only=True, eq=False)
class BucketJob:
    """One bucket to label, and the folder that its file goes to."""

    events: BucketedEvents
    number: int
    prices: pa.Table
    sessions: pa.Table
    window: DatasetWindow
    features: tuple[str, ...]
    target: str


@dataclass(frozen=True, kw_only=True)
class BucketResult:
    """What was written for a bucket: nothing where it has no rows."""

    file: DatasetFile | None
    leaves: Mapping[int, Leaf]
    columns: Mapping[str, str]
    used_features: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class LabelledFiles:
    """A labelled window as files in one folder, bucket by bucket.

    Attributes
    ----------
    files : tuple of DatasetFile
        Only of buckets that have rows.
    columns : mapping
        Arrow type by name, in order.
    features : tuple of str
        Feature columns, with their prefix.
    content_sha256 : str
        See :mod:`ordinis_learn.datasets.content`.
    """

    files: tuple[DatasetFile, ...]
    columns: Mapping[str, str]
    features: tuple[str, ...]
    content_sha256: str

    @property
    def rows(self) -> int:
        """How many rows all files have."""
        return sum(file.rows for file in self.files)


def label_events(
    events: BucketedEvents, *, window: DatasetWindow, executor: Executor, target: str
) -> LabelledFiles:
    """Label bucketed events into one Parquet file per bucket.

    What the tape has reached is global, so the bars of all buckets are looked at first. A feature that no row of the window carries
    gets no column; where that turns out only at the end, the buckets are written again without it.

    Parameters
    ----------
    events : BucketedEvents
        Known at one moment.
    window : DatasetWindow
        Which sessions and symbols count, and the horizons.
    executor : Executor
        Where the buckets are worked on.
    target : str
        Folder or URL; what it has of the same names is replaced.
    """
    numbers = range(events.buckets)
    calendar = window_calendar(window)
    prices = executor.run(_first_bars, [(events, number, calendar) for number in numbers])
    told = pa.concat_tables([table.select(["session", "closed_at"]) for table in prices])
    sessions = session_table(told, calendar=calendar)
    jobs = [
        BucketJob(
            events=events,
            number=number,
            prices=prices[number],
            sessions=sessions,
            window=window,
            features=(),
            target=target,
        )
        for number in numbers
    ]
    return _label(jobs, features=events.features(), executor=executor)


def run_bucket(job: BucketJob) -> BucketResult:
    """Label one bucket and write its file."""
    events = job.events.read(job.number)
    table = label_bucket(
        events,
        prices=job.prices,
        sessions=job.sessions,
        window=job.window,
        features=job.features,
        part=leaf_of(events.signals["symbol"]).astype(np.int64),
        threads=1,
    )
    used = [name for name in job.features if table[name].null_count < table.num_rows]
    file = None
    if table.num_rows:
        file = write_parquet(table, locate(job.target) / f"data-{job.number:03d}.parquet")
    return BucketResult(
        file=file, leaves=hash_leaves(table), columns=column_types(table), used_features=frozenset(used)
    )


def _label(jobs: Sequence[BucketJob], *, features: tuple[str, ...], executor: Executor) -> LabelledFiles:
    found = executor.run(run_bucket, [replace(job, features=features) for job in jobs])
    used = tuple(name for name in features if any(name in one.used_features for one in found))
    if used != features:
        return _label(jobs, features=used, executor=executor)
    leaves = {number: leaf for one in found for number, leaf in one.leaves.items()}
    columns = found[0].columns
    return LabelledFiles(
        files=tuple(one.file for one in found if one.file is not None),
        columns=columns,
        features=features,
        content_sha256=leaves_sha256(leaves, columns=columns),
    )


def _first_bars(job: tuple[BucketedEvents, int, SessionCalendar]) -> pa.Table:
    events, number, calendar = job
    return first_bars(events.bars(number), calendar=calendar)
