"""One column of the reference as counts by session: enough to measure it and to know its own noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from ordinis_learn.drift.binning import Bins, Counts, Float1D, Int1D
from ordinis_learn.drift.detector import ReferenceCounts

__all__ = ["MOST_CATEGORIES", "ColumnReference", "summarise_column"]

MOST_CATEGORIES: Final = 32
"""A column with at most so many distinct values gets a bin for each of them."""

_PERCENTILES: Final = np.linspace(0.0, 1.0, 101)
_GROUPS: Final = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnReference:
    """A column of the reference in about a hundred bins, by session.

    A statistic of the binned distribution function differs from the exact one by at most the 1 % of reference rows
    that lie between two cuts.

    Attributes
    ----------
    bins : Bins
    group_starts : int64 array, shape (K,)
        The first fine bin of each decile (or category).
    counts : Counts
        Over the T sessions of the reference.
    scale : float
        Standard deviation of the values (ddof 1), 0 for a constant.
    categorical : bool
    """

    bins: Bins
    group_starts: Int1D
    counts: Counts
    scale: float
    categorical: bool

    @property
    def sessions(self) -> int:
        """T."""
        return len(self.counts.by_session)

    @cached_property
    def as_counts(self) -> ReferenceCounts:
        """What detectors read; an empty bin is located halfway between its neighbours."""
        return self._counts(_between(self.counts.locations, cuts=self.bins.cuts))

    def beside(self, current: Counts) -> ReferenceCounts:
        """Return the same with each bin located at the mean of all rows in it, the current ones too.

        It matters for the outermost bins: how far beyond the reference a row lies is known from the row alone.
        """
        before, now = self.counts.total[:-1], current.total[:-1]
        pooled = np.nansum([before * self.counts.locations, now * current.locations], axis=0)
        rows = before + now
        mean = np.divide(pooled, rows, out=np.full(len(rows), np.nan), where=rows > 0)
        return self._counts(_between(mean, cuts=self.bins.cuts))

    def _counts(self, locations: Float1D) -> ReferenceCounts:
        return ReferenceCounts(
            counts=self.counts.total,
            group_starts=self.group_starts,
            locations=locations,
            scale=self.scale,
            categorical=self.categorical,
        )


def summarise_column(values: Float1D, *, session: Int1D, sessions: int) -> ColumnReference:
    """Choose bins for a column and count it by session.

    Cuts lie at the percentiles, and just above the maximum; a column with at most :data:`MOST_CATEGORIES` distinct
    values is cut below and above each of them instead. Missing values (NaN, infinite) are counted apart.

    Parameters
    ----------
    values : float64 array, shape (n,)
        At least one of them finite.
    session : int64 array, shape (n,)
        The session of each row, numbered from 0.
    sessions : int
        How many there are.

    Examples
    --------
    >>> column = summarise_column(np.arange(1000.0), session=np.arange(1000) // 10, sessions=100)
    >>> len(column.bins), len(column.group_starts), column.counts.by_session.shape
    (103, 10, (100, 104))
    >>> flag = summarise_column(np.array([0.0, 1.0, np.nan]), session=np.zeros(3, dtype=int), sessions=1)
    >>> flag.categorical, flag.counts.total.tolist()
    (True, [0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    """
    known = values[np.isfinite(values)]
    distinct = _few_distinct(known)
    cuts, groups = _percentile_cuts(known) if distinct is None else _category_cuts(distinct)
    bins = Bins(cuts=cuts)
    return ColumnReference(
        bins=bins,
        group_starts=groups,
        counts=bins.count(values, session=session, sessions=sessions),
        scale=float(known.std(ddof=1)) if len(known) > 1 else 0.0,
        categorical=distinct is not None,
    )


def _few_distinct(known: Float1D) -> Float1D | None:
    """Return the distinct values where they are few, looking at a part first: most columns have many."""
    if len(np.unique(known[: 4 * MOST_CATEGORIES])) > MOST_CATEGORIES:
        return None
    distinct = np.unique(known)
    return distinct if len(distinct) <= MOST_CATEGORIES else None


def _percentile_cuts(known: Float1D) -> tuple[Float1D, Int1D]:
    quantiles = np.quantile(known, _PERCENTILES)
    cuts = np.unique(np.append(quantiles, np.nextafter(quantiles[-1], np.inf)))
    inner = np.unique(quantiles[:: len(_PERCENTILES) // _GROUPS][1:-1])
    return cuts, np.unique(np.concatenate([[0], np.searchsorted(cuts, inner) + 1]))


def _category_cuts(distinct: Float1D) -> tuple[Float1D, Int1D]:
    """Cut below and above each value: bins alternate between gaps and values; a group is a value and the gap below."""
    cuts = np.unique(np.stack([distinct, np.nextafter(distinct, np.inf)]).ravel())
    if len(distinct) == 1:  # one group could not show a change
        return cuts, np.arange(len(cuts) + 1, dtype=np.int64)
    above = np.searchsorted(cuts, np.nextafter(distinct[:-1], np.inf)) + 1
    return cuts, np.concatenate([[0], above]).astype(np.int64)


def _between(locations: Float1D, *, cuts: Float1D) -> Float1D:
    """Fill in the location of empty bins: the middle of the bin, and the outermost cut for the outer ones."""
    middle = np.concatenate([cuts[:1], (cuts[1:] + cuts[:-1]) / 2.0, cuts[-1:]])
    return np.where(np.isnan(locations), middle, locations)
