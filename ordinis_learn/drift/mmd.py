"""Maximum mean discrepancy: have texts, as vectors, come to lie elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D
from ordinis_learn.drift.domain_classifier import area_under_curve

__all__ = ["Discrepancy", "maximum_mean_discrepancy"]

_FEWEST_ARRANGEMENTS: Final = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Discrepancy:
    """A distance beside the same distance after the two sides were mixed.

    Attributes
    ----------
    squared : float
        MMD², unbiased: around 0 where nothing changed, and sometimes below it.
    mixed : float64 array, shape (draws,)
        MMD² of random arrangements of the units.
    area : float
        Probability that the witness function ranks a row of the current side above one of the reference.
    """

    squared: float
    mixed: Float1D
    area: float

    @property
    def p_value(self) -> float:
        """(1 + #{mixed ≥ squared}) / (1 + #mixed): exact for exchangeable units (Phipson & Smyth 2010)."""
        return float((1 + np.count_nonzero(self.mixed >= self.squared)) / (1 + len(self.mixed)))


def maximum_mean_discrepancy(
    reference: Float2D,
    current: Float2D,
    *,
    reference_unit: Int1D,
    current_unit: Int1D,
    draws: int,
    seed: int,
) -> Discrepancy | None:
    """Compare two sets of vectors by their mean in the space of a Gaussian kernel, and by random rearrangements.

    The kernel is computed once; its width is the median distance of all pairs, which no rearrangement changes. Rows that
    depend on each other share a *unit* (a stretch of days, a document). Units change sides whole, and pairs within a
    unit are left out, on which the p-value then does not lean.

    Parameters
    ----------
    reference, current : float64 arrays, shapes (n, d) and (m, d)
    reference_unit, current_unit : int64 arrays, shapes (n,) and (m,)
        Numbers that say which rows belong together; the two sides share no unit, whatever the numbers.
    draws, seed : int
        Rearrangements.

    Returns
    -------
    Discrepancy, optional
        None with fewer than two units on a side, or fewer than 100 arrangements: there is no telling.

    References
    ----------
    Gretton, A. et al. (2012), A kernel two-sample test, JMLR 13, (3) and §8 on the median.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> before, now = rng.standard_normal((60, 3)), rng.standard_normal((30, 3)) + 1.0
    >>> found = maximum_mean_discrepancy(
    ...     before, now, reference_unit=np.arange(60), current_unit=np.arange(30), draws=199, seed=1
    ... )
    >>> found.p_value, found.area > 0.8
    (0.005, True)
    """
    side = np.repeat([0, 1], [len(reference), len(current)])
    unit, is_current = _numbered(np.concatenate([reference_unit, current_unit]), side=side)
    units, moved = len(is_current), int(is_current.sum())
    if min(moved, units - moved) < 2 or math.comb(units, moved) < _FEWEST_ARRANGEMENTS:
        return None
    order = np.argsort(unit, kind="stable")
    rows, unit = np.concatenate([reference, current])[order], unit[order]
    by_unit = np.add.reduceat(_gaussian(rows), _starts(unit), axis=1)
    between = np.add.reduceat(by_unit, _starts(unit), axis=0)
    size = np.bincount(unit).astype(np.float64)
    rng = np.random.default_rng(seed)
    arrangements = rng.permuted(np.tile(is_current, (draws, 1)), axis=1)
    squared = _squared(between, size, np.concatenate([is_current[None, :], arrangements]).astype(np.float64))
    return Discrepancy(
        squared=float(squared[0]),
        mixed=squared[1:],
        area=_witnessed(by_unit, size, unit=unit, is_current=is_current.astype(np.float64)),
    )


def _numbered(unit: Int1D, *, side: Int1D) -> tuple[Int1D, npt.NDArray[np.bool_]]:
    """Count the units of both sides from 0; return each row's, and which units are current."""
    labels, numbered = np.unique(np.stack([side, unit], axis=1), axis=0, return_inverse=True)
    return numbered.ravel().astype(np.int64), labels[:, 0] == 1


def _gaussian(rows: Float2D) -> Float2D:
    length = np.einsum("nd,nd->n", rows, rows)
    squared = np.maximum(length[:, None] + length[None, :] - 2.0 * (rows @ rows.T), 0.0)
    median = float(np.median(squared[np.triu_indices(len(rows), k=1)]))
    kernel: Float2D = np.exp(-squared / median) if median > 0 else (squared == 0).astype(np.float64)
    return kernel


def _starts(unit: Int1D) -> Int1D:
    return np.flatnonzero(np.diff(unit, prepend=-1)).astype(np.int64)


def _squared(between: Float2D, size: Float1D, current: Float2D) -> Float1D:
    """Return MMD² for each arrangement, shape (k, U), over pairs of different units."""
    before = 1.0 - current
    apart = between - np.diag(np.diag(between))
    pairs = np.outer(size, size) - np.diag(size**2)

    def mean(left: Float2D, right: Float2D) -> Float1D:
        value: Float1D = ((left @ apart) * right).sum(axis=1) / ((left @ pairs) * right).sum(axis=1)
        return value

    return mean(current, current) + mean(before, before) - 2.0 * mean(current, before)


def _witnessed(by_unit: Float2D, size: Float1D, *, unit: Int1D, is_current: Float1D) -> float:
    """Return the area under the curve of the witness function, each row's own unit left out of it."""
    rows = np.arange(len(unit))
    own = by_unit[rows, unit]
    mine = is_current[unit]
    means = []
    for side, weights in ((1.0, is_current), (0.0, 1.0 - is_current)):
        inside = mine == side
        total = by_unit @ weights - own * inside
        means.append(total / (size @ weights - size[unit] * inside))
    witness = means[0] - means[1]
    return area_under_curve(witness[mine == 0.0], witness[mine == 1.0])
