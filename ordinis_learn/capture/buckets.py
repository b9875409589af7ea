"""Which part of the symbols an event belongs to: the same on every machine and in every release."""

from __future__ import annotations

import hashlib
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.errors import ConfigInvalid

__all__ = ["bucket_of", "check_bucket", "in_bucket"]

_HASHED_BYTES: Final = 8


def bucket_of(partition_key: str, *, buckets: int) -> int:
    """Return the bucket of a partition key: the first 8 bytes of its SHA-256, big-endian, modulo ``buckets``.

    Examples
    --------
    >>> [bucket_of(symbol, buckets=4) for symbol in ("KO", "PEP", "MSFT")]
    [2, 3, 1]
    """
    digest = hashlib.sha256(partition_key.encode()).digest()
    return int.from_bytes(digest[:_HASHED_BYTES], "big") % buckets


def check_bucket(bucket: tuple[int, int]) -> None:
    """Refuse a bucket that does not exist."""
    number, buckets = bucket
    if not 0 <= number < buckets:
        raise ConfigInvalid(
            f"read bucket {number} of {buckets}",
            found="buckets are numbered from 0 to one less than there are",
            next_step="pass bucket=(n, m) with 0 <= n < m",
        )


def in_bucket(events: pa.Table, bucket: tuple[int, int] | None) -> pa.Table:
    """Keep the rows whose ``partition_key`` falls into bucket n of m; all of them for None."""
    if bucket is None:
        return events
    number, buckets = bucket
    keys = pc.unique(events["partition_key"])
    kept = [key for key in keys.to_pylist() if bucket_of(key, buckets=buckets) == number]
    return events.filter(pc.is_in(events["partition_key"], value_set=pa.array(kept, pa.string())))
