"""Whether a key comes twice, without comparing all keys with each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ordinis_learn.datasets.totals import aggregate, quoted
from ordinis_learn.labelling import open_queries

__all__ = ["repeats"]


def repeats(rows: Any, *, column: str) -> float | None:
    """Count the rows whose key was there before; nulls are passed over. None without the column as strings.

    Equal keys have equal hashes. So where all 64-bit hashes differ, all keys do, and only where two are equal the keys
    themselves are counted.

    Parameters
    ----------
    rows : pa.Table or pyarrow.dataset.Dataset
        All rows.
    column : str
        The key.

    Examples
    --------
    >>> repeats(pa.table({"key": ["a", "b", None, "a", None]}), column="key")
    1.0
    """
    if column not in rows.schema.names or not pa.types.is_string(rows.schema.field(column).type):
        return None
    key = quoted(column)
    sql = f"SELECT hash({key}) AS hashed FROM rows WHERE {key} IS NOT NULL"  # noqa: S608  the name is quoted
    with open_queries() as queries:
        found = queries.run(sql, tables={"rows": rows})["hashed"]
    hashed = np.sort(found.to_numpy())
    if not (hashed[1:] == hashed[:-1]).any():
        return 0.0
    (counted,) = aggregate(rows, [f"count({key}) - count(DISTINCT {key})"])
    return counted
