"""The interface of every detector of a changed distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D

__all__ = ["Detector", "ReferenceCounts"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceCounts:
    """What a detector may know of the reference of one column.

    Attributes
    ----------
    counts : float64 array, shape (B + 1,)
        Rows per bin, the missing last.
    group_starts : int64 array, shape (K,)
        For each of K coarse bins (deciles, or the values of a column that takes few), the first of the bins inside it.
    locations : float64 array, shape (B,)
        Mean of the values in each bin.
    scale : float
        Standard deviation (ddof 1); 0 for a constant.
    categorical : bool
        The column takes so few values that each has a bin of its own; values never seen fall between them.
    """

    counts: Float1D
    group_starts: Int1D
    locations: Float1D
    scale: float
    categorical: bool


class Detector(Protocol):
    """A distance between two binned samples, large when they differ.

    Detectors hold no state and know nothing of time: how large is unusual is the business of
    :mod:`ordinis_learn.drift.calibration`, which asks for thousands of distances in one call.
    """

    @property
    def metric(self) -> str:
        """Return the name under which findings are reported."""
        ...

    def applies(self, reference: ReferenceCounts) -> bool:
        """Tell whether the distance could ever differ from 0; where not, it is no test to be counted."""
        ...

    def distance(self, reference: ReferenceCounts, current: Float2D) -> Float1D:
        """Return the distance of each of n samples from the reference.

        Parameters
        ----------
        reference : ReferenceCounts
        current : float64 array, shape (n, B + 1)
            Rows per bin of n samples, the missing last.

        Returns
        -------
        float64 array, shape (n,)
            NaN for a sample in which nothing is known.
        """
        ...
