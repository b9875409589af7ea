"""How much evidence overlapping labels hold.

Two labels whose lives overlap are partly the same observation. The uniqueness of a label is the mean,
over the bars of its life, of one over the number of labels alive at that bar.
Source: López de Prado, *Advances in Financial Machine Learning* (2018), sections 4.3 and 4.4.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["effective_samples", "sample_uniqueness"]


def sample_uniqueness(
    first: npt.ArrayLike, *, last: npt.ArrayLike, group: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """Return the average uniqueness of each label.

    Parameters
    ----------
    first, last : int array, shape (n,)
        The first and last bar of each label's life, both included. Pass labelled rows only.
        For a return from close to close the life starts one bar after the entry: h returns, not h+1.
    group : array, shape (n,), optional
        Labels count as concurrent only within one group, e.g. the symbol; one group where not given. Small integers
        from 0 are taken as they are, other values are numbered first.

    Returns
    -------
    float64 array, shape (n,)
        In (0, 1]: 1 for a label that shares no bar. h-bar labels on every bar tend to 1/h.

    Notes
    -----
    Two prefix sums over the bars of each group: time and memory are linear in labels plus (groups times bars).
    No group has a part in another's sums, so the answer for a group is the same to the bit whatever else is passed.
    Concurrency across symbols is not counted: correlated symbols hold less evidence than this says.

    Examples
    --------
    The worked example of section 4.5.3, labels over bars [0, 2], [2, 3] and [4, 5]:

    >>> sample_uniqueness([0, 2, 4], last=[2, 3, 5]).round(4).tolist()
    [0.8333, 0.75, 1.0]
    """
    start, stop = np.asarray(first, dtype=np.int64), np.asarray(last, dtype=np.int64)
    if start.shape != stop.shape or start.ndim != 1 or np.any(stop < start):
        raise ValueError("first and last must be two arrays of one length, with first <= last everywhere")
    if start.size == 0:
        return np.empty(0)
    groups = np.zeros(len(start), dtype=np.int64) if group is None else _codes(group)
    origin = start.min()
    width = int(stop.max() - origin) + 2
    begin, after = groups * width + start - origin, groups * width + stop - origin + 1
    count, cells = int(groups.max()) + 1, (int(groups.max()) + 1) * width
    alive = np.cumsum(np.bincount(begin, minlength=cells) - np.bincount(after, minlength=cells))
    share = np.divide(1.0, alive, out=np.zeros(cells), where=alive > 0)
    before = np.zeros((count, width))
    np.cumsum(share.reshape(count, width)[:, :-1], axis=1, out=before[:, 1:])
    mean = (before.ravel().take(after) - before.ravel().take(begin)) / (stop - start + 1)
    # A difference of prefix sums can end a rounding error above 1.
    return np.asarray(np.minimum(mean, 1.0), dtype=np.float64)


def effective_samples(uniqueness: npt.ArrayLike) -> float:
    """Return the sum of uniqueness, NaN (unlabelled) left out: how many independent labels the rows are worth.

    Examples
    --------
    >>> effective_samples([0.5, 0.5, float("nan"), 1.0])
    2.0
    """
    return float(np.nansum(np.asarray(uniqueness, dtype=np.float64)))


def _codes(group: npt.ArrayLike) -> npt.NDArray[np.int64]:
    values = np.asarray(group)
    if np.issubdtype(values.dtype, np.integer) and values.min() >= 0 and values.max() <= values.size:
        return values.astype(np.int64)
    codes: npt.NDArray[np.int64] = np.unique(values, return_inverse=True)[1]
    return codes.astype(np.int64)
