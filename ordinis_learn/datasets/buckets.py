"""Events of a window in buckets of symbols, as Parquet files that any process can read.

Bucket n of m holds the symbols with ``bucket_of(symbol, buckets=m) == n``; m is a power of two up to 256, so every
bucket is made of whole leaves of the content hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ordinis_learn.capture import bucket_of
from ordinis_learn.datasets.bucket import feature_columns
from ordinis_learn.datasets.content import LEAVES
from ordinis_learn.datasets.storage import read_parquet, write_parquet
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.labelling import TOPIC_COLUMNS, EventColumns
from ordinis_learn.locations import locate
from ordinis_learn.records import Topic

__all__ = [
    "ROWS_PER_BUCKET",
    "BucketedEvents",
    "ParquetEvents",
    "bucket_count",
    "split_events",
    "write_events",
]

ROWS_PER_BUCKET: Final = 250_000
"""About 100 MB of labelled rows with 16 features and three horizons."""

_NAMES: Final = ("symbol", "model_id", "strategy_id", "feature_version", "correlation_id", "tf")


class BucketedEvents(Protocol):
    """Events that can be read bucket by bucket, from any process: values of it are pickled."""

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        ...

    def features(self) -> tuple[str, ...]:
        """Return every feature column that any bucket may have, by name."""
        ...

    def bars(self, number: int) -> pa.Table:
        """Return the bars of one bucket."""
        ...

    def read(self, number: int) -> EventColumns:
        """Return all events of one bucket; its bars may be left out."""
        ...


def bucket_count(signals: int) -> int:
    """Return how many buckets a dataset is built in: a matter of its rows alone, so that it is the same everywhere.

    Examples
    --------
    >>> [bucket_count(rows) for rows in (0, 32_000, 250_001, 5_000_000, 10**9)]
    [1, 1, 2, 32, 256]
    """
    needed = -(-signals // ROWS_PER_BUCKET)
    return min(1 << max(needed - 1, 0).bit_length(), LEAVES)


@dataclass(frozen=True, kw_only=True)
class ParquetEvents:
    """Typed events in ``<url>/<topic>/<bucket>.parquet``, on disk or object storage.

    Parameters
    ----------
    url : str
        A folder: a path, or what fsspec understands (``s3://bucket/prefix``).
    buckets : int
        Into how many buckets the files were split.
    """

    url: str
    buckets: int

    def features(self) -> tuple[str, ...]:
        """Return the feature columns of the files."""
        names: set[str] = set()
        for number in range(self.buckets):
            with self._path("signals", number).open("rb") as file:
                names |= set(feature_columns(pq.ParquetFile(file).schema_arrow.empty_table()))
        return tuple(sorted(names))

    def bars(self, number: int) -> pa.Table:
        """Return the bars of one bucket."""
        return self._table("bars", number)

    def read(self, number: int) -> EventColumns:
        """Return the events of one bucket, without its bars."""
        names = [name for name, _ in TOPIC_COLUMNS.values() if name != "bars"]
        return EventColumns(**{name: self._table(name, number) for name in names}, bars=pa.table({}))

    def _table(self, topic: str, number: int) -> pa.Table:
        return read_parquet(self._path(topic, number), names=_NAMES)

    def _path(self, topic: str, number: int) -> Path:
        return locate(self.url) / topic / f"{number:03d}.parquet"


def write_events(read: Callable[[Topic], pa.Table], *, url: str, buckets: int) -> ParquetEvents:
    """Read topic after topic, and write each in buckets; one topic is in memory at a time."""
    for topic, (name, typed) in TOPIC_COLUMNS.items():
        for number, table in enumerate(split_events(typed(read(topic)), buckets=buckets)):
            write_parquet(table, locate(url) / name / f"{number:03d}.parquet")
    return ParquetEvents(url=url, buckets=buckets)


def split_events(table: pa.Table, *, buckets: int) -> list[pa.Table]:
    """Split events of one topic by symbol; the order within a bucket is kept."""
    if buckets < 1 or LEAVES % buckets:
        raise ConfigInvalid(
            f"split events into {buckets} buckets",
            found=f"a number that does not divide {LEAVES}",
            next_step=f"use a power of two up to {LEAVES}",
        )
    if buckets == 1:
        return [table]
    symbols = table["symbol"].combine_chunks()
    named = symbols if pa.types.is_dictionary(symbols.type) else symbols.dictionary_encode()
    home = np.array([bucket_of(one, buckets=buckets) for one in named.dictionary.to_pylist()], dtype=np.uint8)
    number = home[np.asarray(named.indices)]
    order = np.argsort(number, kind="stable")
    stops = np.cumsum(np.bincount(number, minlength=buckets))
    grouped = table.take(pa.array(order))
    return [grouped.slice(a, b - a) for a, b in zip([0, *stops[:-1].tolist()], stops.tolist(), strict=True)]
