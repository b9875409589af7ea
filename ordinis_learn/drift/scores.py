"""What a model said about rows, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ordinis_learn.drift.binning import Float1D, Int1D

__all__ = ["Scores"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """What a model said about n rows, in the order of the rows.

    Attributes
    ----------
    prediction : float64 array, shape (n,)
        The model's signed confidence or forecast: large for the most favoured rows.
    confidence : float64 array, shape (n,), optional
        In [0, 1], that the direction is right; NaN where it gave none.
    outcome : float64 array, shape (n,), optional
        What following the model earned, as a fraction; NaN where not known yet, 0 where the model was flat.
    forward_return : float64 array, shape (n,), optional
        What the row itself returned, unsigned by the model; NaN where not known yet.
    """

    prediction: Float1D
    confidence: Float1D | None = None
    outcome: Float1D | None = None
    forward_return: Float1D | None = None


def known_rows(*columns: Float1D) -> Int1D:
    """Return the rows in which every column is finite."""
    known = np.ones(len(columns[0]), dtype=np.bool_)
    for column in columns:
        known &= np.isfinite(column)
    return np.flatnonzero(known)
