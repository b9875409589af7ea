"""Bin a column once; every detector then works on counts.

Counts by session form a matrix (sessions × bins), so that a block bootstrap is a sum of its rows and a rolling
window a difference of two cumulative ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["Bins", "Counts", "Float1D", "Float2D", "Int1D"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]
Int1D = npt.NDArray[np.int64]

_CELLS: Final = 8192
_CHUNK_ROWS: Final = 1 << 15
"""So many values and what is computed from them stay in the second-level cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """A column in bins: rows per session and bin, the missing last, and the mean of each bin's rows.

    Attributes
    ----------
    by_session : float64 array, shape (T, B + 1)
    locations : float64 array, shape (B,)
        NaN for an empty bin.
    """

    by_session: Float2D
    locations: Float1D

    @property
    def total(self) -> Float1D:
        """Rows per bin, shape (B + 1,)."""
        total: Float1D = self.by_session.sum(axis=0)
        return total


@dataclass(frozen=True, kw_only=True, eq=False)
class Bins:
    """Where the B bins of one column lie: bin i holds values in [cuts[i-1], cuts[i]), the outer ones what is beyond.

    Parameters
    ----------
    cuts : float64 array, shape (B - 1,)
        Finite, strictly increasing.

    Examples
    --------
    >>> bins = Bins(cuts=np.array([0.0, 1.0]))
    >>> bins.index(np.array([-1.0, 0.0, 0.5, 1.0, np.nan, np.inf])).tolist()
    [0, 1, 1, 2, 3, 3]
    """

    cuts: Float1D

    @cached_property
    def _table(self) -> _Table | None:
        return _table(self.cuts)

    def __len__(self) -> int:
        return len(self.cuts) + 1

    def index(self, values: npt.NDArray[np.floating]) -> Int1D:
        """Return the bin of each value, 0..B-1, and B where the value is not finite."""
        found = np.empty(len(values), dtype=np.int64)
        for start, chunk in _chunks(values):
            found[start : start + len(chunk)] = self._index(chunk)
        return found

    def count(self, values: npt.NDArray[np.floating], *, session: Int1D, sessions: int) -> Counts:
        """Count values per session and bin in one pass; ``session`` numbers each row from 0."""
        width = len(self) + 1
        counts = np.zeros(sessions * width)
        sums = np.zeros(width)
        for start, chunk in _chunks(values):
            index = self._index(chunk)
            cell = index if sessions == 1 else index + session[start : start + len(chunk)] * width
            counts += np.bincount(cell, minlength=sessions * width)
            sums += np.bincount(index, weights=chunk, minlength=width)  # the missing go into the last, unread
        by_session = counts.reshape(sessions, width)
        rows = by_session.sum(axis=0)[:-1]
        locations = np.divide(sums[:-1], rows, out=np.full(len(self), np.nan), where=rows > 0)
        return Counts(by_session=by_session, locations=locations)

    def _index(self, values: Float1D) -> Int1D:
        known = np.isfinite(values)
        if known.all():
            return self._index_finite(values)
        index = np.full(len(values), len(self), dtype=np.int64)
        index[known] = self._index_finite(values[known])
        return index

    def _index_finite(self, values: Float1D) -> Int1D:
        if self._table is None:
            return np.searchsorted(self.cuts, values, side="right").astype(np.int64, copy=False)
        return self._table.look_up(values)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """Equal cells over the span of the cuts, at most one cut in each: one comparison decides, not seven.

    Scaling and truncating keep the order of values, so a cut in a lower cell is below a value and one in a higher
    cell above it, whatever the rounding. On 10⁶ values it takes an eighth of ``numpy.searchsorted``.
    """

    low: float
    scale: float
    below: Int1D
    next_cut: Float1D

    def look_up(self, values: Float1D) -> Int1D:
        with np.errstate(over="ignore"):  # infinity lies beyond the outermost cut, where it belongs
            cell = np.clip((values - self.low) * self.scale, 0.0, len(self.below) - 1).astype(np.intp)
        below: Int1D = self.below[cell] + (values >= self.next_cut[cell])
        return below


def _table(cuts: Float1D) -> _Table | None:
    """Return the table, None where two cuts share a cell (a heavy tail beside a narrow middle)."""
    span = float(cuts[-1]) - float(cuts[0]) if len(cuts) else 0.0
    if not _CELLS * np.finfo(np.float64).tiny < span < np.inf:
        return None
    scale = _CELLS / span
    cell = np.clip((cuts - cuts[0]) * scale, 0.0, _CELLS).astype(np.int64)
    if len(np.unique(cell)) < len(cell):
        return None
    below = np.searchsorted(cell, np.arange(_CELLS + 1), side="left").astype(np.int64)
    return _Table(low=float(cuts[0]), scale=scale, below=below, next_cut=np.append(cuts, np.inf)[below])


def _chunks(values: npt.NDArray[np.floating]) -> Iterator[tuple[int, Float1D]]:
    for start in range(0, len(values), _CHUNK_ROWS):
        yield start, values[start : start + _CHUNK_ROWS].astype(np.float64, copy=False)
