"""A loss in units of how much it has moved lately.

The volatility of markets changes from month to month, and a record of half a year does not know by how much: seen against the
record's own standard deviation, an ordinary wild quarter is a row of extreme sessions, and their sum an alarm. Divided by what
could be known of the volatility before each session, the sessions of quiet and of wild times weigh alike, and what is
followed is the loss per unit of risk.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from pydantic import Field

from ordinis_learn.drift.binning import Float1D
from ordinis_learn.records import Record

__all__ = ["LossScale", "scaled"]

_DECAY: Final = 0.94
"""RiskMetrics' for daily returns: half of the weight lies on the last eleven sessions."""
_LEAST: Final = 1.0 / 16.0


class LossScale(Record):
    """What a loss has moved by lately, as known after a session.

    ``variance`` is the exponentially weighted mean of half the squared differences of successive values: of independent ones it is the
    variance, and a rise of their mean, which is what is looked for, does not hide itself in it. It counts as at least ``least``.
    ``last`` is the value of the session. A record that never moved has no scale: its ``least`` is 0, and values stay as they are.
    """

    variance: float = Field(ge=0.0)
    least: float = Field(ge=0.0)
    last: float

    @classmethod
    def before(cls, record: Float1D) -> LossScale:
        """Return the scale that a record begins with: followed backwards to its first value, for it is all known. At least two values.

        By the mean over a record that began calm and ended wild, its first sessions would look calmer than they were: starting values are
        forecast backwards (Box, G. E. P. & Jenkins, G. M. 1970, Time series analysis, ch. 6).
        """
        squares = np.diff(record) ** 2 / 2.0
        variance = average = float(squares.mean())
        for square in squares[::-1].tolist():
            variance = _DECAY * variance + (1.0 - _DECAY) * square
        return cls(variance=variance, least=average * _LEAST, last=float(record[0]))


def scaled(values: Float1D, *, scale: LossScale) -> tuple[Float1D, LossScale]:
    """Return each value over the root of the variance known before it, and the scale after the last one.

    Parameters
    ----------
    values : float64 array, shape (n,)
        Finite, in the order of their sessions.
    scale : LossScale
        As it was after the session before.

    References
    ----------
    J.P. Morgan/Reuters (1996), RiskMetrics, technical document, 4th edition (the decay of 0.94); von Neumann, J. (1941), Distribution of
    the ratio of the mean square successive difference to the variance, Annals of Mathematical Statistics 12.

    Examples
    --------
    >>> units, after = scaled(np.array([1.0, 1.0]), scale=LossScale(variance=4.0, least=0.25, last=1.0))
    >>> units.round(3), round(after.variance, 3)
    (array([0.5  , 0.516]), 3.534)
    """
    if not scale.least:
        return values.copy(), scale.model_copy(update={"last": float(values[-1])}) if len(values) else scale
    variance, last = scale.variance, scale.last
    units = np.empty(len(values))
    for place, value in enumerate(values.tolist()):
        units[place] = value / np.sqrt(max(variance, scale.least))
        variance = _DECAY * variance + (1.0 - _DECAY) * (value - last) ** 2 / 2.0
        last = value
    return units, LossScale(variance=variance, least=scale.least, last=last)
