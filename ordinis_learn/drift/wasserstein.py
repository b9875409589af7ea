"""Wasserstein distance: how far rows had to move, in reference standard deviations."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D
from ordinis_learn.drift.detector import ReferenceCounts
from ordinis_learn.drift.kolmogorov_smirnov import distribution_gap

__all__ = ["Wasserstein"]


class Wasserstein:
    """∫ |F − G| dx / sd(reference), each bin's rows standing at their mean.

    For a constant reference the unit is undefined and the plain distance is returned.

    References
    ----------
    Vallender, S. S. (1974), Calculation of the Wasserstein distance between probability distributions on the line.
    """

    metric = "wasserstein"

    def applies(self, reference: ReferenceCounts) -> bool:
        """Return True: any column can move."""
        del reference
        return True

    def distance(self, reference: ReferenceCounts, current: Float2D) -> Float1D:
        """Return the distance of each sample; missing rows are left out."""
        gap = np.abs(distribution_gap(reference.counts[:-1], current[:, :-1]))
        moved: Float1D = gap[:, :-1] @ np.diff(reference.locations)
        return moved / reference.scale if reference.scale > 0 else moved
