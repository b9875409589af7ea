"""A feature that stopped moving."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import FeatureBins, Float1D, Float2D

__all__ = ["Constant"]


class Constant:
    """1 where all known rows fall into one bin although the reference fills several, else 0.

    A stuck feed looks like this long before its value is an outlier.
    """

    metric = "constant"

    def distance(self, bins: FeatureBins, *, reference: Float1D, current: Float2D) -> Float1D:
        """Return 1 or 0 for each sample."""
        del bins
        varied = np.count_nonzero(reference[:-1]) > 1
        stuck = np.count_nonzero(current[:, :-1], axis=1) == 1
        constant: Float1D = np.where(stuck & varied, 1.0, 0.0)
        return constant
