"""Bin a feature once; every detector then works on counts.

Counts by session form a matrix (sessions × bins), so that a block bootstrap is a sum of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.records import FeatureProfile

__all__ = ["FeatureBins", "Float1D", "Float2D", "Int1D", "fine_bins"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]
Int1D = npt.NDArray[np.int64]

_GRID: Final = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureBins:
    """Where the bins of one feature lie.

    A bin includes its lower edge and excludes its upper one (the last includes both), as in
    :func:`numpy.histogram`. Values outside the outermost edges count in the outermost bins.

    Attributes
    ----------
    edges : float64 array, shape (B + 1,)
        Not decreasing; contains every edge of the stored profile, and the largest twice.
    profile_starts : int64 array, shape (K,)
        For each of the K bins of the profile, the first of the B bins inside it.
    locations : float64 array, shape (B,)
        Mean of the (reference and current) values in each bin.
    scale : float
        Standard deviation of the reference (ddof 1); 0 for a constant.
    """

    edges: Float1D
    profile_starts: Int1D
    locations: Float1D
    scale: float

    def index(self, values: Float1D) -> Int1D:
        """Return the bin of each value, 0..B-1, and B where the value is not finite."""
        bins = np.searchsorted(self.edges[1:-1], values, side="right")
        return np.where(np.isfinite(values), bins, len(self.locations)).astype(np.int64)

    def count(self, values: Float1D) -> Float1D:
        """Return rows per bin, shape (B + 1,); the last entry counts the missing."""
        width = len(self.locations) + 1
        return np.bincount(self.index(values), minlength=width).astype(np.float64)

    def count_by_session(self, values: Float1D, *, session: Int1D, sessions: int) -> Float2D:
        """Return rows per session and bin, shape (sessions, B + 1); ``session`` numbers each row from 0."""
        width = len(self.locations) + 1
        cell = session * width + self.index(values)
        return np.bincount(cell, minlength=sessions * width).reshape(sessions, width).astype(np.float64)


def fine_bins(profile: FeatureProfile, *, reference: Float1D, current: Float1D) -> FeatureBins:
    """Choose bins from the percentiles of both samples and the edges of the stored profile.

    A statistic of the binned distribution function differs from the exact one by at most the 1 % of
    rows that fall between two edges. Missing values are left out; no finite reference value is an error of the caller.

    Examples
    --------
    >>> import numpy as np
    >>> from ordinis_learn.datasets.profile import profile_feature
    >>> values = np.arange(1000.0)
    >>> bins = fine_bins(profile_feature(values), reference=values, current=values)
    >>> len(bins.profile_starts), bins.count(np.array([-1.0, 5000.0, np.nan]))[[0, -2, -1]]
    (10, array([1., 1., 1.]))
    """
    known = reference[np.isfinite(reference)]
    pooled = np.concatenate([known, current[np.isfinite(current)]])
    grids = [np.quantile(sample, _GRID) for sample in (known, pooled[len(known) :]) if sample.size]
    edges = np.unique(np.concatenate([*grids, np.asarray(profile.edges)]))
    edges = np.append(edges, edges[-1])  # the maximum stands alone, or 0 and 1 would share a bin
    return FeatureBins(
        edges=edges,
        profile_starts=_profile_starts(profile, edges=edges),
        locations=_locations(pooled, edges=edges),
        scale=float(known.std(ddof=1)) if len(known) > 1 else 0.0,
    )


def _profile_starts(profile: FeatureProfile, *, edges: Float1D) -> Int1D:
    """Find the profile's bins; one bin (a constant, a flag) could not show a change: then take all."""
    if len(profile.edges) <= 2:
        return np.arange(len(edges) - 1, dtype=np.int64)
    interior = np.searchsorted(edges, np.asarray(profile.edges[1:-1]))
    return np.concatenate([[0], interior]).astype(np.int64)


def _locations(values: Float1D, *, edges: Float1D) -> Float1D:
    index = np.searchsorted(edges[1:-1], values, side="right")
    counts = np.bincount(index, minlength=len(edges) - 1)
    totals = np.bincount(index, weights=values, minlength=len(edges) - 1)
    middle = (edges[1:] + edges[:-1]) / 2.0
    return np.divide(totals, counts, out=middle, where=counts > 0)
