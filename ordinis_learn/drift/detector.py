"""The interface of every detector."""

from __future__ import annotations

from typing import Protocol

from ordinis_learn.drift.binning import FeatureBins, Float1D, Float2D

__all__ = ["Detector"]


class Detector(Protocol):
    """A distance between two binned samples, large when they differ.

    Detectors hold no state and know nothing of time: how large is unusual is the business of
    :mod:`ordinis_learn.drift.calibration`, which asks for thousands of distances in one call.
    """

    @property
    def metric(self) -> str:
        """Return the name under which findings are reported."""
        ...

    def distance(self, bins: FeatureBins, *, reference: Float1D, current: Float2D) -> Float1D:
        """Return the distance of each row of ``current`` from ``reference``.

        Parameters
        ----------
        bins : FeatureBins
            Where the B bins lie.
        reference : float64 array, shape (B + 1,)
            Rows per bin, the missing last.
        current : float64 array, shape (n, B + 1)
            The same for n samples.

        Returns
        -------
        float64 array, shape (n,)
            NaN for a sample in which nothing is known.
        """
        ...
