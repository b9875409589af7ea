"""Jensen-Shannon distance: how well one row tells which of the two samples it came from."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D
from ordinis_learn.drift.detector import ReferenceCounts
from ordinis_learn.drift.psi import group_counts

__all__ = ["JensenShannon", "jensen_shannon_distance"]


def jensen_shannon_distance(reference: Float1D, current: Float2D) -> Float1D:
    """Compute √(½ KL(p‖m) + ½ KL(q‖m)), m = (p + q) / 2, with logarithms to base 2.

    Unlike the population stability index it is finite where a bin is empty, and a metric.

    Parameters
    ----------
    reference : float64 array, shape (B,)
        Rows per bin.
    current : float64 array, shape (..., B)

    Returns
    -------
    float64 array, shape (...)
        In [0, 1]; NaN where a sample is empty.

    References
    ----------
    Lin, J. (1991), Divergence measures based on the Shannon entropy; Endres, D. M. & Schindelin, J. E. (2003), A new
    metric for probability distributions.

    Examples
    --------
    >>> jensen_shannon_distance(
    ...     np.array([1.0, 1.0, 0.0]), np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    ... ).round(3)
    array([0., 1.])
    """
    p, q = _shares(reference), _shares(current)
    middle = (p + q) / 2.0
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2.0
    distance: Float1D = np.sqrt(np.clip(divergence, 0.0, 1.0))
    return distance


class JensenShannon:
    """Jensen-Shannon distance over deciles of the reference, or over its values where they are few."""

    metric = "jensen_shannon"

    def applies(self, reference: ReferenceCounts) -> bool:
        """Return True: any column can move."""
        del reference
        return True

    def distance(self, reference: ReferenceCounts, current: Float2D) -> Float1D:
        """Return the distance of each sample; missing rows are left out."""
        return jensen_shannon_distance(*group_counts(reference, current))


def _shares(counts: Float2D) -> Float2D:
    total = np.sum(counts, axis=-1, keepdims=True)
    shares: Float2D = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    return shares


def _relative_entropy(p: Float2D, middle: Float2D) -> Float1D:
    ratio = np.divide(p, middle, out=np.ones_like(middle), where=(p > 0) & (middle > 0))
    entropy: Float1D = (p * np.log2(ratio)).sum(axis=-1)
    return entropy
