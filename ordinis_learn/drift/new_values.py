"""New values: rows with a value that the reference never took."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D
from ordinis_learn.drift.detector import ReferenceCounts
from ordinis_learn.drift.psi import population_stability_index

__all__ = ["NewValues", "new_value_effect"]


def new_value_effect(reference: ReferenceCounts, current: Float2D) -> Float1D:
    """Return the PSI over the two bins seen/new: the effect size on the scale of the others."""
    total = np.array([reference.counts[:-1].sum(), 0.0])
    new = _new_rows(reference, current)
    return population_stability_index(total, np.stack([current[:, :-1].sum(axis=1) - new, new], axis=-1))


class NewValues:
    """Share of known rows whose value the reference never took, for columns that take few values.

    A sector code, a flag or a rank that is new means that something upstream has changed its language, long before
    the shares of the known ones move. For a continuous column every value is new: use the other distances.
    """

    metric = "new_values"

    def applies(self, reference: ReferenceCounts) -> bool:
        """Where the reference takes few values."""
        return reference.categorical

    def distance(self, reference: ReferenceCounts, current: Float2D) -> Float1D:
        """Return the share in [0, 1]; 0 for a continuous column, NaN where nothing is known."""
        known = current[:, :-1].sum(axis=1)
        new = _new_rows(reference, current)
        share: Float1D = np.divide(new, known, out=np.full(len(current), np.nan), where=known > 0)
        return share if self.applies(reference) else np.where(np.isnan(share), np.nan, 0.0)


def _new_rows(reference: ReferenceCounts, current: Float2D) -> Float1D:
    new: Float1D = current[:, :-1][:, reference.counts[:-1] == 0].sum(axis=1)
    return new
