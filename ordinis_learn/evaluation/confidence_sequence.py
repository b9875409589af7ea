"""A confidence interval that may be looked at every day.

The empirical-Bernstein confidence sequence of Howard, Ramdas, McAuliffe & Sekhon (2021), *Time-uniform,
nonparametric, nonasymptotic confidence sequences*, Annals of Statistics 49(2), theorem 4 with the
gamma-exponential mixture of proposition 9; Choe & Ramdas (2024), *Comparing sequential forecasters*,
Operations Research 72(4), apply it to paired losses. It covers the running mean at all times at once, so
one may stop whenever one likes. For an answer at one fixed sample size a paired t-test is narrower.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import gammainc, gammaln

from ordinis_learn.errors import ConfigInvalid

__all__ = ["ConfidenceSequence", "confidence_sequence", "mixture_boundary", "observations_for_margin"]

_MOST_OBSERVATIONS: Final = 100_000

Float1D = npt.NDArray[np.float64]

_BISECTIONS: Final = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class ConfidenceSequence:
    """Bounds after each observation; arrays of shape (t,). Position k is what was known then."""

    mean: Float1D
    lower: Float1D
    upper: Float1D
    alpha: float


def confidence_sequence(
    values: Float1D, *, low: float, high: float, alpha: float = 0.05, tuned_at: float = 5.0
) -> ConfidenceSequence:
    """Bound the mean of bounded observations at every time simultaneously.

    With probability at least 1 − ``alpha``, *all* intervals hold the average of the conditional means up
    to their time. The conditional means may change from day to day; nothing is assumed but the bounds.

    Parameters
    ----------
    values : array, shape (t,)
        In order of arrival, each in [``low``, ``high``] and known before the next is drawn. Average the
        symbols of a session into one value first, since they move together. Losses over horizons of h
        sessions that overlap do not qualify: take every h-th.
    low, high : float
        Bounds that hold for sure, not the sample's extremes. The width shrinks with the variance, so
        generous bounds cost little once there is data.
    alpha : float
        Chance of ever missing, both sides together.
    tuned_at : float
        Intrinsic time Σ(x − prediction)², in units of (high − low)², at which the interval is tightest.
        Fix it before looking.

    Returns
    -------
    ConfidenceSequence
        Clipped to [low, high]; empty for no values.

    Raises
    ------
    ConfigInvalid
        A value is not finite or out of bounds, or the bounds, ``alpha`` or ``tuned_at`` make no sense.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sequence = confidence_sequence(rng.uniform(-1, 1, 2000), low=-1.0, high=1.0)
    >>> bool((sequence.lower <= 0).all() and (sequence.upper >= 0).all())
    True
    >>> bool(sequence.upper[-1] - sequence.lower[-1] < 0.15)
    True
    """
    _check(values, low=low, high=high, alpha=alpha, tuned_at=tuned_at)
    scaled = (values - low) / (high - low)
    count = np.arange(1, len(values) + 1)
    total = np.cumsum(scaled)
    predicted = (0.5 + total - scaled) / count
    intrinsic_time = np.cumsum((scaled - predicted) ** 2)
    radius = mixture_boundary(intrinsic_time, alpha=alpha / 2.0, tuned_at=tuned_at) / count
    mean = total / count
    return ConfidenceSequence(
        mean=low + (high - low) * mean,
        lower=low + (high - low) * np.maximum(mean - radius, 0.0),
        upper=low + (high - low) * np.minimum(mean + radius, 1.0),
        alpha=alpha,
    )


@functools.cache
def observations_for_margin(margin: float, *, low: float, high: float, alpha: float = 0.05) -> int:
    """Return how many observations bring the upper bound to ``margin`` when every one of them is 0.

    No sequence with a mean of 0 gets there sooner, so it is what an equal model needs at the very least.

    Returns
    -------
    int
        At most 100,000, which is also the answer where more would be needed.

    Examples
    --------
    >>> observations_for_margin(0.05, low=-1.0, high=1.0)
    185
    """
    most = 256
    while most < _MOST_OBSERVATIONS:
        upper = confidence_sequence(np.zeros(most), low=low, high=high, alpha=alpha).upper
        reached = np.flatnonzero(upper <= margin)
        if len(reached):
            return int(reached[0]) + 1
        most *= 4
    return _MOST_OBSERVATIONS


def mixture_boundary(intrinsic_time: Float1D, *, alpha: float, tuned_at: float) -> Float1D:
    """Solve m(s, v) = 1/alpha for s at each v by bisection; m grows in s (proposition 9, scale c = 1).

    Parameters
    ----------
    intrinsic_time : array
        v = Σ(x − prediction)² of observations scaled to [0, 1].
    alpha : float
        Of this side alone.
    tuned_at : float
        As in :func:`confidence_sequence`.

    Returns
    -------
    array
        How far the sum may lie from its mean; over the number of observations it is the interval's radius. Grows with v.

    Examples
    --------
    >>> mixture_boundary(np.array([0.0, 5.0]), alpha=0.025, tuned_at=5.0).round(2).tolist()
    [4.62, 10.36]
    """
    # Howard et al. (2021), section 3.5: the one-sided mixture is tightest at v for this precision.
    log_odds = np.log(1.0 / (2.0 * alpha)) if alpha < 0.5 else np.log(1.0 / alpha)
    precision = tuned_at / (2.0 * log_odds + np.log1p(2.0 * log_odds))
    target = np.log(1.0 / alpha)
    below = np.zeros_like(intrinsic_time)
    above = np.ones_like(intrinsic_time)
    while (short := _log_mixture(above, intrinsic_time, precision=precision) < target).any():
        above = np.where(short, 2.0 * above, above)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (below + above)
        short = _log_mixture(middle, intrinsic_time, precision=precision) < target
        below, above = np.where(short, middle, below), np.where(short, above, middle)
    return above


def _log_mixture(s: Float1D, v: Float1D, *, precision: float) -> Float1D:
    constant = precision * np.log(precision) - gammaln(precision) - np.log(gammainc(precision, precision))
    shape, reach = v + precision, s + v + precision
    logarithm: Float1D = (
        constant + gammaln(shape) + np.log(gammainc(shape, reach)) - shape * np.log(reach) + s + v
    )
    return logarithm


def _check(values: Float1D, *, low: float, high: float, alpha: float, tuned_at: float) -> None:
    faults = {
        f"bounds [{low}, {high}]": not (np.isfinite([low, high]).all() and low < high),
        f"alpha {alpha}": not 0.0 < alpha < 1.0,
        f"tuned_at {tuned_at}": not tuned_at > 0.0,
        "a value that is not finite": not bool(np.isfinite(values).all()),
        f"a value outside [{low}, {high}]": bool((values < low).any() or (values > high).any()),
    }
    found = [fault for fault, holds in faults.items() if holds]
    if found:
        raise ConfigInvalid(
            "compute a confidence sequence",
            found="; ".join(found),
            next_step="give finite values and the bounds that they cannot leave",
        )
