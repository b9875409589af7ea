"""Verdicts over paired items in groups, as scorecards hold them: for rates an exact test, for shares the bootstrap.

Sources, tests, intervals and power: :mod:`ordinis_learn.evaluation.paired_rates`,
:mod:`ordinis_learn.evaluation.clustered_rates` and :mod:`ordinis_learn.evaluation.clustered_bootstrap`.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtri

from ordinis_learn.evaluation.clustered_bootstrap import ShareDifference
from ordinis_learn.evaluation.clustered_rates import exchange_p_value, grouped_changes
from ordinis_learn.evaluation.paired_rates import (
    compare_rates,
    detectable_rate_difference,
    mcnemar_power,
    score_interval,
)
from ordinis_learn.records import Interval, PairedDifference
from ordinis_learn.records.scorecard import Verdict

__all__ = ["ALPHA", "RATE_INTERVAL", "SHARE_INTERVAL", "rate_verdict", "share_verdict"]

Bool1D = npt.NDArray[np.bool_]
Int1D = npt.NDArray[np.int64]

ALPHA: Final = 0.025
"""One-sided: the exact two-sided test at 0.05."""
RATE_INTERVAL: Final = "interval Tango (1998) over groups"
SHARE_INTERVAL: Final = "paired bootstrap, bounded where few differ,"
"""The intervals whose level is known against a margin; cards that were signed before name others."""
_LEAST_LOST: Final = 0.02
"""Share of items that get worse by chance alone, at least, where the detectable difference is stated."""
_POWER: Final = 0.80
_MOST_ITEMS: Final = 20_000


def rate_verdict(
    metric: str,
    subject: Bool1D,
    baseline: Bool1D,
    *,
    clusters: Int1D | None = None,
    better: Literal["higher", "lower"] = "higher",
) -> PairedDifference:
    """Compare two rates over the same items.

    ``p_value`` is that of exchanging the sides of whole groups; the interval counts items divided by their design effect.
    Where every group is one item they are McNemar's exact test and Tango's interval. ``minimum_detectable`` is positive
    whichever way is better, ``block_length`` the number of items per group, rounded up.

    Parameters
    ----------
    clusters : int array, shape (n,), optional
        Which items belong together; default is that each stands alone.

    Examples
    --------
    200 items see eight points, and do not see four; nor do they see eight where all that was gained is in one group:

    >>> def answers(good):
    ...     return np.arange(200) < good
    >>> found = rate_verdict("schema_valid_rate", answers(196), answers(180))
    >>> round(found.estimate, 3), found.verdict, found.minimum_detectable < 0.08
    (0.08, 'pass', True)
    >>> found = rate_verdict("schema_valid_rate", answers(188) ^ (np.arange(200) < 4), answers(184))
    >>> found.verdict, found.minimum_detectable > 0.04, found.sessions_needed > 200
    ('inconclusive', True, True)
    >>> groups = np.arange(200) // 20
    >>> rate_verdict("schema_valid_rate", answers(196), answers(180), clusters=groups).verdict
    'inconclusive'
    """
    found = compare_rates(subject, baseline, alpha=2.0 * ALPHA)
    places = np.arange(found.items) if clusters is None else clusters
    changes = grouped_changes(subject, baseline, clusters=places)
    effect = changes.design_effect(alpha=ALPHA)
    net = changes.net if better == "higher" else -changes.net
    gained, lost = (found.gained, found.lost) if better == "higher" else (found.lost, found.gained)
    low, high = score_interval(
        found.gained / effect, found.lost / effect, items=found.items / effect, alpha=ALPHA
    )
    p_better, p_worse = exchange_p_value(net), exchange_p_value(-net)
    return PairedDifference(
        metric=metric,
        estimate=found.difference,
        interval=Interval(low=low, high=high, level=1.0 - 2.0 * ALPHA),
        null=0.0,
        p_value=p_better,
        alpha=ALPHA,
        method=f"exact exchange of {len(net)} groups (of one: McNemar), one-sided, {better} is better; "
        f"{RATE_INTERVAL}, design effect {effect:.2f}",
        block_length=-(-found.items // len(net)),
        draws=0,
        minimum_detectable=detectable_rate_difference(
            math.floor(found.items / effect), alpha=2.0 * ALPHA, lost=max(lost / found.items, _LEAST_LOST)
        ),
        sessions=found.items,
        sessions_needed=float(np.ceil(effect * _items_needed(gained / found.items, lost / found.items))),
        verdict=_verdict(p_better, p_worse),
    )


def share_verdict(
    metric: str, found: ShareDifference, *, items: int, better: Literal["higher", "lower"] = "higher"
) -> PairedDifference:
    """Return the comparison of two shares as a scorecard holds it.

    ``block_length`` is the number of items per cluster, rounded up.
    """
    z = ndtri(1.0 - ALPHA) + ndtri(_POWER)
    p_better, p_worse = found.p_better, found.p_worse
    if better == "lower":
        p_better, p_worse = p_worse, p_better
    needed = items * (z * found.standard_error / found.difference) ** 2 if found.difference else np.inf
    return PairedDifference(
        metric=metric,
        estimate=found.difference,
        interval=Interval(low=found.low, high=found.high, level=1.0 - 2.0 * ALPHA),
        null=0.0,
        p_value=p_better,
        alpha=ALPHA,
        method=f"{SHARE_INTERVAL} over {found.clusters} documents, studentised, {better} is better",
        block_length=-(-items // found.clusters),
        draws=found.draws,
        minimum_detectable=found.detectable,
        sessions=items,
        sessions_needed=float(np.ceil(needed)) if np.isfinite(needed) else np.inf,
        verdict=_verdict(p_better, p_worse),
    )


def _verdict(p_better: float, p_worse: float) -> Verdict:
    if p_better <= ALPHA:
        return "pass"
    return "fail" if p_worse <= ALPHA else "inconclusive"


def _items_needed(gained: float, lost: float) -> float:
    """Return how many items would show the observed rates with 80 % power; infinite where they say nothing better."""

    def lacking(items: float) -> float:
        return mcnemar_power(int(items), gained=gained, lost=lost, alpha=2.0 * ALPHA) - _POWER

    if gained <= lost or lacking(_MOST_ITEMS) < 0.0:
        return np.inf
    return float(np.ceil(brentq(lacking, 1, _MOST_ITEMS, xtol=0.5)))
