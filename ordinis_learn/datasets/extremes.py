"""The smallest and the largest value of a column, and how many are missing: what most expectations need to know.

NumPy, not SQL: both extremes of 5,000,000 doubles take 2 ms, a third of what a query takes. Nothing is taken from the
statistics in the footer of a Parquet file: they leave NaN out, and they are what a file says of itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa

__all__ = ["ExtremeRule", "Extremes", "extremes_of"]

_STEP: Final = 65_536
"""Rows looked at twice while they are in the processor's cache."""
_THREADS: Final = 2


@dataclass(frozen=True, kw_only=True)
class Extremes:
    """What is known of a column's values; both extremes are NaN where one value is, None where none is there."""

    rows: int
    nulls: int
    lowest: float | None = None
    highest: float | None = None

    def __add__(self, other: Extremes) -> Extremes:
        """Return the extremes of two parts of a column together.

        Examples
        --------
        >>> Extremes(rows=2, nulls=0, lowest=1.0, highest=2.0) + Extremes(rows=1, nulls=1)
        Extremes(rows=3, nulls=1, lowest=1.0, highest=2.0)
        """
        lows = [one.lowest for one in (self, other) if one.lowest is not None]
        highs = [one.highest for one in (self, other) if one.highest is not None]
        return Extremes(
            rows=self.rows + other.rows,
            nulls=self.nulls + other.nulls,
            lowest=float(np.min(lows)) if lows else None,
            highest=float(np.max(highs)) if highs else None,
        )


@dataclass(frozen=True, kw_only=True)
class ExtremeRule:
    """A total that follows from the extremes of one column.

    Parameters
    ----------
    kind : str
        ``nulls`` counts them. The others are 1 where the rule is broken, else 0: ``finite`` (no NaN, no infinity),
        ``varies`` (two different values), ``within`` (``low`` and ``high``, both included; NaN is outside).
    column : str
        Whose extremes.
    low, high : float, optional
        For ``within``.
    """

    kind: Literal["nulls", "finite", "varies", "within"]
    column: str
    low: float | None = None
    high: float | None = None

    def total(self, found: Extremes) -> float:
        """Return the total.

        Examples
        --------
        >>> rule = ExtremeRule(kind="within", column="confidence", low=0.0, high=1.0)
        >>> rule.total(Extremes(rows=2, nulls=0, lowest=0.2, highest=1.0))
        0.0
        >>> rule.total(Extremes(rows=2, nulls=0, lowest=0.2, highest=float("nan")))
        1.0
        """
        if self.kind == "nulls":
            return float(found.nulls)
        if found.lowest is None or found.highest is None:
            return float(self.kind == "varies")
        if self.kind == "finite":
            return float(not np.isfinite([found.lowest, found.highest]).all())
        if self.kind == "varies":
            return float(not found.highest > found.lowest)
        above = self.low is None or found.lowest >= self.low
        return float(not (above and (self.high is None or found.highest <= self.high)))


def extremes_of(rows: Any, columns: Sequence[str]) -> dict[str, Extremes]:
    """Return the extremes of columns; those that are not there are left out.

    Parameters
    ----------
    rows : pa.Table or pyarrow.dataset.Dataset
        All rows. A dataset of Parquet files is read as it goes, never whole.
    columns : sequence of str
        Numbers have both extremes; of other types only nulls are counted.
    """
    names = [name for name in dict.fromkeys(columns) if name in rows.schema.names]
    found = {name: Extremes(rows=0, nulls=0) for name in names}
    parts = [rows] if isinstance(rows, pa.Table) else rows.to_batches(columns=names)
    with ThreadPoolExecutor(_THREADS) as pool:
        for part in parts:
            seen = pool.map(lambda name, part=part: _of_column(part.column(name)), names)
            found = {name: found[name] + one for name, one in zip(names, seen, strict=True)}
    return found


def _of_column(column: pa.Array | pa.ChunkedArray) -> Extremes:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return reduce(Extremes.__add__, map(_of_chunk, chunks), Extremes(rows=0, nulls=0))


def _of_chunk(values: pa.Array) -> Extremes:
    counted = {"rows": len(values), "nulls": values.null_count}
    is_number = pa.types.is_floating(values.type) or pa.types.is_integer(values.type)
    if not is_number or len(values) == values.null_count:
        return Extremes(**counted)
    lows, highs = [], []
    for start in range(0, len(values), _STEP):
        piece = values.slice(start, _STEP)
        # What lies under a null is no value.
        known = (piece.drop_null() if piece.null_count else piece).to_numpy()
        if len(known):
            lows.append(known.min())
            highs.append(known.max())
    return Extremes(**counted, lowest=float(np.min(lows)), highest=float(np.max(highs)))
