"""A small rule strategy: follow the slow trend, lean against the fast move, stay out of wild markets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ordinis_learn.records import Fraction, Record

__all__ = ["RuleParameters", "rule_signals"]

_TREND_YEARS: Final = 231 / 252
"""``mom_252_21`` is a return over 231 sessions; volatility is annual."""


class RuleParameters(Record):
    """The rule's numbers. They were declared before anything was backtested, and are not fitted.

    Attributes
    ----------
    momentum_weight : float
        Weight of the vol-scaled return of the past year without its last month. Momentum is the stronger of the two
        published effects at a horizon of weeks, so it has the larger weight; the last month is left out
        because it tends to reverse (Jegadeesh and Titman 1993); scaling by volatility makes stocks and
        years comparable (Moskowitz, Ooi and Pedersen 2012).
    reversion_weight : float
        Weight of the negative 20-session z-score: short-term reversal (Jegadeesh 1990; Lehmann 1990). Less
        than half the other, because most of that effect is eaten by costs.
    volatility_ceiling : float
        Annual ``vol_20`` above which the rule is flat: momentum breaks down in turbulent markets
        (Daniel and Moskowitz 2016). 0.60 is about twice what a single large stock usually has.
    entry_threshold, short_threshold : float
        The squashed score from which on the rule is long, or (negative) short. Shorts need a stronger score: stocks
        drift upwards, so an equally strong opinion is worth less on that side.
    """

    momentum_weight: float = Field(0.50, ge=0.0)
    reversion_weight: float = Field(0.20, ge=0.0)
    volatility_ceiling: float = Field(0.60, gt=0.0)
    entry_threshold: Fraction = 0.15
    short_threshold: Fraction = 0.40


def rule_signals(
    features: npt.NDArray[np.float64], *, names: Sequence[str], parameters: RuleParameters
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """Return the rule's direction and confidence for each row.

    The score is ``tanh(momentum_weight * mom_252_21 / (vol_60 * sqrt(231/252)) - reversion_weight * z_20)``;
    the tangent keeps one extreme input from dominating and gives a confidence in [0, 1].

    Parameters
    ----------
    features : float64 array, shape (n, F)
        What was known at the close; a row with a non-finite value is flat.
    names : sequence of str, length F
        Must hold ``mom_252_21``, ``z_20``, ``vol_20`` and ``vol_60``; others only matter for being finite.
    parameters : RuleParameters

    Returns
    -------
    direction : int8 array, shape (n,)
        +1 long, −1 short, 0 flat.
    confidence : float64 array, shape (n,)
        The size of the score; 0 where flat.

    Examples
    --------
    >>> names = ["mom_252_21", "z_20", "vol_20", "vol_60"]
    >>> rows = np.array([[0.3, 0.0, 0.2, 0.2], [-0.3, 2.0, 0.2, 0.2], [0.3, 0.0, 0.9, 0.2]])
    >>> direction, confidence = rule_signals(rows, names=names, parameters=RuleParameters())
    >>> direction.tolist(), confidence.round(2).tolist()
    ([1, -1, 0], [0.65, 0.83, 0.0])
    """
    column = {name: features[:, position] for position, name in enumerate(names)}
    volatility = column["vol_60"] * np.sqrt(_TREND_YEARS)
    usable = np.isfinite(features).all(axis=1) & (volatility > 0.0)
    reversion = np.where(usable, column["z_20"], 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # absurd inputs end at ±1, or NaN and then flat
        trend = np.divide(column["mom_252_21"], volatility, out=np.zeros(len(features)), where=usable)
        score = np.tanh(parameters.momentum_weight * trend - parameters.reversion_weight * reversion)
    calm = np.where(usable, column["vol_20"], np.inf) <= parameters.volatility_ceiling
    is_long = calm & (score > 0.0) & (score >= parameters.entry_threshold)
    is_short = calm & (score < 0.0) & (-score >= parameters.short_threshold)
    direction = is_long.astype(np.int8) - is_short.astype(np.int8)
    return direction, np.where(direction != 0, np.abs(score), 0.0)
