"""What a shadow of so many sessions can show, by simulation: how often a true difference is seen, and how often a false one.

A true effect is a difference of hit rates: between positions of ±1 the loss (1 − position · sign) / 2 of a session falls by
what the share of right directions rises. A simulated session's mean difference is drawn from a Beta distribution
stretched over [−1, 1], which has the wanted mean and spread and keeps to the bounds of the loss. One number is drawn
every ``stride`` sessions: labels in between overlap and say nothing new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.evaluation.confidence_sequence import mixture_boundary

__all__ = ["DAYS", "GAINS", "MARGIN", "SPREAD", "Power", "power_of", "sequential_bounds", "wilson_interval"]

DAYS: Final = (20, 60, 250, 2500)
GAINS: Final = (-0.05, 0.0, 0.01, 0.02, 0.05, 0.10)
"""True gains in hit rate: 0.02 is two right directions more in a hundred."""

MARGIN: Final = 0.05
"""What the policy ``gov_v1`` still calls not inferior."""

SPREAD: Final = 0.25
"""Standard deviation of a session's mean difference where none was measured; a report tells its own."""

_GRID: Final = 2048
_CHUNK: Final = 250

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Power:
    """Shares of simulations, by the end of ``days``, when somebody looks at every new number and stops when pleased.

    ``better``: the interval lay wholly below 0. ``not_inferior``: it lay below the margin, which is what the gate asks. ``naive``: a
    one-sided t-test at the same level called it better at some look.
    """

    gain: float
    days: int
    looks: int
    better: float
    not_inferior: float
    naive: float
    simulations: int


def power_of(
    gain: float,
    *,
    days: Sequence[int] = DAYS,
    spread: float = SPREAD,
    margin: float = MARGIN,
    stride: int = 5,
    alpha: float = 0.05,
    simulations: int = 1000,
    seed: int = 7,
) -> list[Power]:
    """Simulate shadows with one true gain in hit rate and look at them every day.

    Parameters
    ----------
    gain : float
        Of the candidate over the active model; negative: it is worse.
    days : sequence of int
        Sessions after which the shares are told.
    spread : float
        Standard deviation of a session's mean difference of losses.
    margin : float
        Loss that still counts as not inferior.
    stride : int
        Sessions from one number of the sequence to the next.
    alpha : float
        Level of the two-sided sequence; each side, and the t-test, has half of it.
    simulations, seed : int
        How many shadows, and from which seed.

    Raises
    ------
    ConfigInvalid
        No Beta distribution on [−1, 1] has this mean and spread, or a number makes no sense.

    Examples
    --------
    Twenty days hold four numbers. Nobody sees a gain of five points in them:

    >>> [(one.days, one.looks, one.better) for one in power_of(0.05, days=[20], simulations=200)]
    [(20, 4, 0.0)]
    """
    shape = _shape(-gain, spread=spread)
    looks = [day // stride for day in days]
    if min(looks, default=0) < 1 or simulations < 1 or not 0 < alpha < 1 or not np.isfinite(margin):
        raise ConfigInvalid(
            "simulate a shadow",
            found=f"days {list(days)}, stride {stride}, {simulations} simulations, alpha {alpha}, margin {margin}",
            next_step="give days of at least one stride, one simulation or more, alpha between 0 and 1, a finite margin",
        )
    rng = np.random.default_rng(seed)
    hits = np.zeros((3, len(looks)))
    for begin in range(0, simulations, _CHUNK):
        count = min(_CHUNK, simulations - begin)
        drawn = 2.0 * rng.beta(*shape, size=(count, max(looks))) - 1.0
        _, upper = sequential_bounds(drawn, low=-1.0, high=1.0, alpha=alpha)
        pleased = np.stack([upper < 0.0, upper <= margin, _naive(drawn, alpha=alpha / 2.0)])
        ever = np.logical_or.accumulate(pleased, axis=2)
        hits += ever[:, :, [look - 1 for look in looks]].sum(axis=1)
    shares = hits / simulations
    return [
        Power(
            gain=gain,
            days=day,
            looks=look,
            better=float(shares[0, place]),
            not_inferior=float(shares[1, place]),
            naive=float(shares[2, place]),
            simulations=simulations,
        )
        for place, (day, look) in enumerate(zip(days, looks, strict=True))
    ]


def sequential_bounds(
    values: Float2D, *, low: float, high: float, alpha: float = 0.05, tuned_at: float = 5.0
) -> tuple[Float2D, Float2D]:
    """Return the bounds of :func:`~ordinis_learn.evaluation.confidence_sequence` for many sequences at once.

    The boundary is looked up in a table at the next larger intrinsic time, so the bounds are never narrower than the
    exact ones, and wider by less than half a percent.

    Parameters
    ----------
    values : array, shape (sequences, t)
        Each in [``low``, ``high``].

    Returns
    -------
    tuple of arrays, shape (sequences, t)
        Lower and upper.
    """
    scaled = (values - low) / (high - low)
    count = np.arange(1, values.shape[1] + 1)
    total = np.cumsum(scaled, axis=1)
    intrinsic = np.cumsum((scaled - (0.5 + total - scaled) / count) ** 2, axis=1)
    grid = np.concatenate([[0.0], np.geomspace(1e-3, max(values.shape[1], 1.0), _GRID)])
    boundary = mixture_boundary(grid, alpha=alpha / 2.0, tuned_at=tuned_at)
    radius = boundary[np.searchsorted(grid, intrinsic)] / count
    mean = total / count
    lower, upper = np.maximum(mean - radius, 0.0), np.minimum(mean + radius, 1.0)
    return low + (high - low) * lower, low + (high - low) * upper


def wilson_interval(share: float, *, count: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share of independent trials.

    Wilson (1927), Journal of the American Statistical Association 22(158).

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson_interval(0.0, count=1000)]
    [0.0, 0.0038]
    """
    z2 = float(norm.ppf(0.5 + level / 2.0)) ** 2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = np.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _naive(values: Float2D, *, alpha: float) -> npt.NDArray[np.bool_]:
    """Say where a one-sided t-test over all numbers so far calls the mean negative; at least three numbers."""
    count = np.arange(1, values.shape[1] + 1)
    total, squares = np.cumsum(values, axis=1), np.cumsum(values**2, axis=1)
    variance = np.maximum(squares - total**2 / count, 0.0) / np.maximum(count - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = total / np.sqrt(count * variance)
    limit = t.ppf(alpha, np.maximum(count - 1, 1))
    return np.asarray((count >= 3) & (statistic < limit), dtype=np.bool_)


def _shape(mean: float, *, spread: float) -> tuple[float, float]:
    """Return the Beta parameters of a mean and spread on [−1, 1]."""
    share, variance = (mean + 1.0) / 2.0, (spread / 2.0) ** 2
    if not (0.0 < share < 1.0 and 0.0 < variance < share * (1.0 - share)):
        raise ConfigInvalid(
            "simulate a shadow",
            found=f"a gain of {-mean:g} with a spread of {spread:g}",
            next_step="give a gain between -1 and 1 and a spread above 0 that the loss's bounds of -1 and 1 allow",
        )
    common = share * (1.0 - share) / variance - 1.0
    return share * common, (1.0 - share) * common
