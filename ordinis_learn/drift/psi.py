"""Population stability index: how far the shares of rows per bin have moved."""

from __future__ import annotations

from typing import Final

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D
from ordinis_learn.drift.detector import ReferenceCounts
from ordinis_learn.records import FeatureProfile

__all__ = ["PopulationStability", "group_counts", "population_stability_index", "psi_from_profile"]

_PSEUDO_COUNT: Final = 0.5


def population_stability_index(reference: Float1D, current: Float2D) -> Float1D:
    """Compute PSI = Σ (q − p) ln(q / p) between counts of rows per bin.

    Every bin gets half a row more, on both sides, so that an empty bin does not make the index
    infinite (the Jeffreys prior of a multinomial; with n rows it moves a share by at most 1/(2n)).
    Under no drift the expected value is about (B − 1)(1/n + 1/m): small samples look unstable.

    Parameters
    ----------
    reference : float64 array, shape (B,)
    current : float64 array, shape (..., B)

    Returns
    -------
    float64 array, shape (...)
        ≥ 0, and 0 for equal counts; NaN where a sample is empty.

    References
    ----------
    Lewis, E. M. (1994), *An Introduction to Credit Scoring*; it is the symmetrised divergence of
    Kullback and Leibler (1951). Bias: Yurdakul, B. (2018), *Statistical Properties of PSI*.

    Examples
    --------
    >>> population_stability_index(np.array([50.0, 50.0]), np.array([[50.0, 50.0], [80.0, 20.0]])).round(3)
    array([0.   , 0.406])
    """
    p = _shares(reference)
    q = _shares(current)
    index: Float1D = ((q - p) * np.log(q / p)).sum(axis=-1)
    empty = (np.sum(current, axis=-1) == 0) | (np.sum(reference) == 0)
    return np.where(empty, np.nan, index)


def psi_from_profile(profile: FeatureProfile, values: Float1D) -> float:
    """Compute the PSI of values against a stored profile; the reference rows are not needed.

    Missing values are left out (see :mod:`ordinis_learn.drift.missing_rate`); NaN where none is finite.

    Examples
    --------
    >>> from ordinis_learn.datasets.profile import profile_feature
    >>> reference = np.linspace(0.0, 1.0, 500)
    >>> psi_from_profile(profile_feature(reference), reference)
    0.0
    """
    edges = np.asarray(profile.edges)
    known = values[np.isfinite(values)]
    index = np.searchsorted(edges[1:-1], known, side="right")
    counts = np.bincount(index, minlength=len(profile.counts)).astype(np.float64)
    return float(population_stability_index(np.asarray(profile.counts, dtype=np.float64), counts))


def group_counts(reference: ReferenceCounts, current: Float2D) -> tuple[Float1D, Float2D]:
    """Return known rows per coarse bin, of the reference, shape (K,), and of each sample, shape (n, K)."""
    starts = reference.group_starts
    before: Float1D = np.add.reduceat(reference.counts[:-1], starts)
    now: Float2D = np.add.reduceat(current[:, :-1], starts, axis=1)
    return before, now


class PopulationStability:
    """PSI over deciles of the reference, or over its values where they are few."""

    metric = "psi"

    def applies(self, reference: ReferenceCounts) -> bool:
        """Return True: any column can move."""
        del reference
        return True

    def distance(self, reference: ReferenceCounts, current: Float2D) -> Float1D:
        """Return the PSI of each sample; missing rows are left out."""
        return population_stability_index(*group_counts(reference, current))


def _shares(counts: Float1D) -> Float1D:
    smoothed = counts + _PSEUDO_COUNT
    shares: Float1D = smoothed / smoothed.sum(axis=-1, keepdims=True)
    return shares
