"""False discovery rate: how many of the alarms of one check may be false."""

from __future__ import annotations

import numpy as np

from ordinis_learn.drift.binning import Float1D

__all__ = ["benjamini_hochberg"]


def benjamini_hochberg(p_values: Float1D) -> Float1D:
    """Adjust p-values so that ``q <= alpha`` keeps the expected share of false alarms at alpha.

    Holds for independent and for positively dependent tests, as several distances of one feature are
    (Benjamini & Yekutieli 2001). The result is in the order of the input; empty in, empty out.

    References
    ----------
    Benjamini, Y. & Hochberg, Y. (1995), Controlling the false discovery rate, JRSS B 57, 289-300.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5])).round(3)
    array([0.04 , 0.053, 0.053, 0.5  ])
    """
    count = len(p_values)
    order = np.argsort(p_values)[::-1]
    rank = np.arange(count, 0, -1)
    adjusted = np.minimum.accumulate(p_values[order] * count / rank)
    q_values = np.empty(count)
    q_values[order] = np.minimum(adjusted, 1.0)
    return q_values
