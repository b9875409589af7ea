"""A feature that stopped moving."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D
from ordinis_learn.drift.detector import ReferenceCounts

__all__ = ["Constant"]


class Constant:
    """1 where all known rows fall into one bin although the reference fills several, else 0.

    A stuck feed looks like this long before its value is an outlier.
    """

    metric = "constant"

    def applies(self, reference: ReferenceCounts) -> bool:
        """Where the reference fills several bins."""
        return bool(np.count_nonzero(reference.counts[:-1]) > 1)

    def distance(self, reference: ReferenceCounts, current: Float2D) -> Float1D:
        """Return 1 or 0 for each sample."""
        stuck = np.count_nonzero(current[:, :-1], axis=1) == 1
        constant: Float1D = np.where(stuck & self.applies(reference), 1.0, 0.0)
        return constant
