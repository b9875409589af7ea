"""Two rates over the same items, e.g. schema-valid answers of two prompt packs: the exact McNemar test.

Only items on which the two differ say anything: *gained* ones, where the subject succeeds and the baseline
does not, and *lost* ones. Sources: McNemar (1947), Psychometrika 12(2); exact form and power: Duffy (1984),
*Asymptotic and exact power for the McNemar test*, Biometrics 40(4).

How far the rates may lie apart is said by the score interval of Tango (1998), *Equivalence test and confidence interval
for the difference in proportions for the paired-sample design*, Statistics in Medicine 17(8), which is also a test
against a margin. Its level was worked out exactly for margins of one to five points, 200 to 1,000 items and up to 15 % of
gained items: at a stated 2.5 % it lets a subject that is worse by the margin pass in 2.6 % at most, where the adjusted Wald
interval of Bonett & Price (2012), which shrinks where few items differ, does so in up to 6.0 %.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import binom

from ordinis_learn.errors import EvalFailed

__all__ = ["RateDifference", "compare_rates", "detectable_rate_difference", "mcnemar_power", "score_interval"]

Bool1D = npt.NDArray[np.bool_]

_POWER: Final = 0.80
_EDGE: Final = 1e-9
"""Differences of exactly −1 and 1 leave no variance; this far off them the score is defined."""


@dataclass(frozen=True, kw_only=True)
class RateDifference:
    """Subject minus baseline over n paired items.

    ``p_value`` is two-sided. ``detectable`` is the difference that n items would show with 80 % power if the
    subject lost nothing: real comparisons need more.
    """

    subject: float
    baseline: float
    gained: int
    lost: int
    items: int
    p_value: float
    detectable: float

    @property
    def difference(self) -> float:
        """(gained − lost) / items."""
        return (self.gained - self.lost) / self.items


def compare_rates(subject: Bool1D, baseline: Bool1D, *, alpha: float = 0.05) -> RateDifference:
    """Compare two success rates item by item.

    p = min(1, 2·P[Bin(gained + lost, ½) ≤ min(gained, lost)]); 1 where the two never differ.

    Parameters
    ----------
    subject, baseline : bool arrays, shape (n,)
        Success of each on the same items, in the same order.
    alpha : float
        Level at which ``detectable`` is stated.

    Raises
    ------
    EvalFailed
        No items, or different numbers of them.

    Examples
    --------
    >>> subject = np.array([True] * 196 + [False] * 4)
    >>> baseline = np.array([True] * 180 + [False] * 20)
    >>> found = compare_rates(subject, baseline)
    >>> found.difference, found.gained, found.lost, round(found.p_value, 6), round(found.detectable, 3)
    (0.08, 16, 0, 3.1e-05, 0.039)
    """
    if subject.shape != baseline.shape or not subject.size:
        raise EvalFailed(
            "compare two rates item by item",
            found=f"{subject.size} items against {baseline.size}",
            next_step="ask both the same items, and give one answer for each",
        )
    gained, lost = int((subject & ~baseline).sum()), int((~subject & baseline).sum())
    return RateDifference(
        subject=float(subject.mean()),
        baseline=float(baseline.mean()),
        gained=gained,
        lost=lost,
        items=subject.size,
        p_value=min(1.0, 2.0 * float(binom.cdf(min(gained, lost), gained + lost, 0.5))),
        detectable=detectable_rate_difference(subject.size, alpha=alpha),
    )


def mcnemar_power(items: int, *, gained: float, lost: float, alpha: float = 0.05) -> float:
    """Return the chance that the exact two-sided test rejects at true rates of gained and lost items.

    Examples
    --------
    A net gain of four points (6 % gained, 2 % lost) is rarely seen in 200 items, one of eight nearly always:

    >>> round(mcnemar_power(200, gained=0.06, lost=0.02), 2)
    0.44
    >>> round(mcnemar_power(200, gained=0.10, lost=0.02), 2)
    0.91
    """
    discordant = np.arange(items + 1)
    limit = _limits(1 << items.bit_length(), alpha=alpha)[: items + 1]
    share = gained / (gained + lost) if gained + lost > 0 else 0.5
    rejected = binom.cdf(limit, discordant, share) + binom.cdf(limit, discordant, 1.0 - share)
    return float(binom.pmf(discordant, items, gained + lost) @ rejected)


@functools.cache
def _limits(size: int, *, alpha: float) -> npt.NDArray[np.float64]:
    """Return the largest smaller count at which m = 0, 1, … discordant items are significant; −1 where none is."""
    discordant = np.arange(size)
    limit = binom.ppf(alpha / 2.0, discordant, 0.5)
    significant: npt.NDArray[np.float64] = np.where(
        2.0 * binom.cdf(limit, discordant, 0.5) > alpha, limit - 1.0, limit
    )
    return significant


@functools.cache
def detectable_rate_difference(items: int, *, alpha: float = 0.05, lost: float = 0.0) -> float:
    """Return the net gain that the test sees with 80 % power; NaN where no gain is large enough.

    Examples
    --------
    >>> round(detectable_rate_difference(200, lost=0.02), 3)
    0.066
    """

    def lacking(gained: float) -> float:
        return mcnemar_power(items, gained=gained, lost=lost, alpha=alpha) - _POWER

    most = 1.0 - lost
    # Where half of the items or more get worse, no share of gained ones is left that would be a net gain.
    if lost >= most or lacking(most) < 0.0:
        return np.nan
    return float(brentq(lacking, lost, most, xtol=1e-6)) - lost


def score_interval(gained: float, lost: float, *, items: float, alpha: float) -> tuple[float, float]:
    """Return the differences (subject minus baseline) that the score test at ``alpha`` a side does not reject.

    Counts need not be whole: items in groups count less than one each
    (:mod:`ordinis_learn.evaluation.clustered_rates`).

    Examples
    --------
    One gained, seven lost of 21, as Fagerland, Lydersen & Laake (2014, Statistics in Medicine 33(16)) work it out:

    >>> low, high = score_interval(1, 7, items=21, alpha=0.025)
    >>> round(low, 3), round(high, 3)
    (-0.517, -0.026)

    Nothing differs among 200 items: three points of loss are excluded, one is not.

    >>> low, high = score_interval(0, 0, items=200, alpha=0.025)
    >>> round(low, 4), round(high, 4)
    (-0.0188, 0.0188)
    """
    estimate, z = (gained - lost) / items, float(ndtri(1.0 - alpha))

    def beyond(difference: float) -> float:
        return abs(_score(gained, lost, items=items, difference=difference)) - z

    bounds = []
    for edge in (_EDGE - 1.0, 1.0 - _EDGE):
        inside = (estimate - edge) * (1.0 if edge < 0 else -1.0) <= _EDGE or beyond(edge) <= 0.0
        bounds.append(round(edge) if inside else float(brentq(beyond, edge, estimate, xtol=1e-9)))
    return float(bounds[0]), float(bounds[1])


def _score(gained: float, lost: float, *, items: float, difference: float) -> float:
    """Return Tango's z against a difference; the share of lost items is its most likely one at that difference."""
    linear = (2.0 * items - gained + lost) * difference - gained - lost
    constant = -lost * difference * (1.0 - difference)
    root = np.sqrt(max(linear**2 - 8.0 * items * constant, 0.0))
    variance = items * ((root - linear) / (2.0 * items) + difference * (1.0 - difference))
    distance = gained - lost - items * difference
    if not variance > 0.0:
        return float(np.copysign(np.inf, distance)) if distance else 0.0
    return float(distance / np.sqrt(variance))
