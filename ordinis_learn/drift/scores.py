"""What a model said about rows, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D

__all__ = ["Scores", "known_rows", "mean_of", "sums_by_session"]


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


def sums_by_session(values: Float1D, *, session: Int1D, sessions: int) -> Float2D:
    """Return the sum and the number of the finite values of each session, shape (sessions, 2).

    Examples
    --------
    >>> sums_by_session(np.array([1.0, 2.0, np.nan]), session=np.array([1, 1, 0]), sessions=2)
    array([[0., 0.],
           [3., 2.]])
    """
    known = known_rows(values)
    total = np.bincount(session[known], weights=values[known], minlength=sessions)
    return np.stack([total, np.bincount(session[known], minlength=sessions)], axis=1)


def mean_of(sums: Float2D) -> Float1D:
    """Return sum over number for rows (sum, number); NaN for none."""
    empty = np.full(len(sums), np.nan)
    mean: Float1D = np.divide(sums[:, 0], sums[:, 1], out=empty, where=sums[:, 1] > 0)
    return mean


def known_rows(*columns: Float1D) -> Int1D:
    """Return the rows in which every column is finite."""
    known = np.ones(len(columns[0]), dtype=np.bool_)
    for column in columns:
        known &= np.isfinite(column)
    return np.flatnonzero(known)
