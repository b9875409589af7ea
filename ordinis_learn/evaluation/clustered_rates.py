"""What two paired rates say where items come in groups, such as questions about the same document.

Items of a group succeed or fail together, so McNemar's test and Tango's interval, which count items, promise more than
there is: Obuchowski (1998), *On the comparison of correlated proportions for clustered data*, Statistics in Medicine
17(13); Durkalski, Palesch, Lipsitz & Rust (2003), *Analysis of clustered matched-pair data*, Statistics in Medicine
22(15), whose tests are for large samples. Here, with few differences, two other answers:

- *Is there a difference?* Where there is none the two sides of a whole group may be exchanged: the test of Fisher (1935),
  *The Design of Experiments*, section 21, over groups, worked out exactly. Where every group is one item it is McNemar's.
- *How large may it be?* Items count divided by their design effect: Rao & Scott (1992), *A simple method for the analysis
  of clustered binary data*, Biometrics 48(2). It is estimated from the groups that differ; few of them say little about
  it, so it grows by Student's quantile for as many, up to what it is where all items of a group agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import binom
from scipy.stats import t as student

__all__ = ["GroupedChanges", "exchange_p_value", "grouped_changes", "least_margin"]

Bool1D = npt.NDArray[np.bool_]
Int1D = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class GroupedChanges:
    """Items on which only the subject succeeds (gained) or only the baseline (lost), and items, by group.

    Attributes
    ----------
    gained, lost, items : int arrays, shape (groups,)
    """

    gained: Int1D
    lost: Int1D
    items: Int1D

    @property
    def net(self) -> Int1D:
        """Gained less lost."""
        return self.gained - self.lost

    def design_effect(self, *, alpha: float) -> float:
        """Return by how much the variance of the difference exceeds that of items by themselves; at least 1.

        Parameters
        ----------
        alpha : float
            One-sided level at which the uncertainty of the estimate itself is allowed for.

        Examples
        --------
        Twenty of 40 pairs change, both items alike: a pair says as much as one item. Items by themselves have none.

        >>> change, same = np.repeat([2, 0], 20), np.zeros(40, dtype=int)
        >>> GroupedChanges(gained=change, lost=same, items=np.repeat(2, 40)).design_effect(alpha=0.025)
        2.0
        >>> GroupedChanges(gained=change // 2, lost=same, items=np.repeat(1, 40)).design_effect(alpha=0.025)
        1.0
        """
        net, sizes = self.net, self.items
        items, groups = int(sizes.sum()), len(sizes)
        # Sums of integers: the order of the groups changes no digit.
        most = int(sizes @ sizes) / items
        differing = int(((self.gained + self.lost) > 0).sum())
        mean = int(net.sum()) / items
        alone = int((self.gained + self.lost).sum()) - items * mean**2
        if differing < 2 or not alone > 0.0:
            return most
        spread = int(net @ net) - 2.0 * mean * int(net @ sizes) + mean**2 * int(sizes @ sizes)
        together = groups / (groups - 1.0) * spread
        known = float(student.ppf(1.0 - alpha, differing - 1) / ndtri(1.0 - alpha))
        return min(most, max(1.0, together / alone * known**2))


def grouped_changes(subject: Bool1D, baseline: Bool1D, *, clusters: Int1D) -> GroupedChanges:
    """Count by group what changed; ``clusters`` holds any integers, one per item.

    Examples
    --------
    >>> found = grouped_changes(
    ...     np.array([True, True, False]), np.array([False, True, True]), clusters=np.array([7, 7, 9])
    ... )
    >>> found.gained.tolist(), found.lost.tolist(), found.items.tolist()
    ([1, 0], [0, 1], [2, 1])
    """
    _, place = np.unique(clusters, return_inverse=True)
    gained, lost, items = (
        np.bincount(place, weights=flags).astype(np.int64)
        for flags in (subject & ~baseline, ~subject & baseline, np.ones(len(place)))
    )
    return GroupedChanges(gained=gained, lost=lost, items=items)


def exchange_p_value(net: Int1D) -> float:
    """Return P[Σ ±|net| ≥ Σ net] with every sign as likely as the other: one-sided, small where the subject is better.

    Examples
    --------
    Sixteen groups of one item, all gained, as McNemar's test has it; and one large group, which alone proves nothing:

    >>> exchange_p_value(np.ones(16, dtype=int)) == 0.5**16
    True
    >>> exchange_p_value(np.array([16]))
    0.5
    """
    sizes, counts = np.unique(np.abs(net[net != 0]), return_counts=True)
    # In steps of how many signs are positive: Σ = 2·(sizes of the positive ones) − all sizes.
    chances = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        of_size = np.zeros(size * count + 1)
        of_size[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, of_size)
    return min(1.0, float(chances[int(net[net > 0].sum()) :].sum()))


def least_margin(groups: int, *, alpha: float) -> float:
    """Return by how much a rate may be worse for all that groups show among which nothing differs, one-sided at ``alpha``.

    No smaller margin can be shown: it is the end of Tango's interval for no change among so many.

    Examples
    --------
    >>> [round(least_margin(groups, alpha=0.025), 3) for groups in (100, 125, 250)]
    [0.037, 0.03, 0.015]
    """
    squared = float(ndtri(1.0 - alpha)) ** 2
    return squared / (groups + squared)
