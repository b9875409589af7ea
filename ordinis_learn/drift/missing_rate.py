"""Missing rate: rows in which the feature has no finite value."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D
from ordinis_learn.drift.detector import ReferenceCounts
from ordinis_learn.drift.psi import population_stability_index

__all__ = ["MissingRate", "missing_effect"]


def missing_effect(reference: Float1D, current: Float2D) -> Float1D:
    """Return the PSI over the two bins known/missing: the effect size on the scale of the others.

    Examples
    --------
    >>> missing_effect(np.array([99.0, 1.0]), np.array([[99.0, 1.0], [70.0, 30.0]])).round(2)
    array([0.  , 0.96])
    """
    return population_stability_index(_known_and_missing(reference), _known_and_missing(current))


class MissingRate:
    """How much larger the share of missing rows has become; fewer than before is 0.

    A feature that vanished from the rows is missing in all of them.
    """

    metric = "missing_rate"

    def applies(self, reference: ReferenceCounts) -> bool:
        """Return True: any column can move."""
        del reference
        return True

    def distance(self, reference: ReferenceCounts, current: Float2D) -> Float1D:
        """Return the increase of the missing share, in [0, 1]."""
        before = reference.counts[-1] / reference.counts.sum()
        now: Float1D = current[:, -1] / current.sum(axis=1)
        increase: Float1D = np.maximum(now - before, 0.0)
        return increase


def _known_and_missing(counts: Float2D) -> Float2D:
    return np.stack([counts[..., :-1].sum(axis=-1), counts[..., -1]], axis=-1)
