"""Which of several events about one thing came first, as far as the log had told them at a position."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["FirstTold"]

Ints = npt.NDArray[np.int64]


class FirstTold:
    """An index of events by key that can be asked as of any position of the log.

    An event that came late is seen only by what came after it, so an answer never changes when the log grows.

    Parameters
    ----------
    key : int64 array, shape (n,)
        What each event is about; the events are in order of their time.
    position : int64 array, shape (n,)
        Where in the log each stands; no two at one place.

    Examples
    --------
    Of two events about 7 the second in time, at position 10, was told before the first one, at position 12:

    >>> told = FirstTold(np.array([7, 7, 8]), position=np.array([12, 10, 11]))
    >>> told.rows(np.array([7, 7, 7, 9]), position=np.array([9, 11, 12, 12])).tolist()
    [-1, 1, 0, -1]
    """

    def __init__(self, key: Ints, *, position: Ints) -> None:
        by_key = np.lexsort((position, key))
        self._keys, group = np.unique(key[by_key], return_inverse=True)
        self._width = len(key) + 1
        base = group.astype(np.int64) * self._width
        # Subtracting more for each next key makes one running minimum begin anew at every key.
        self._first = np.minimum.accumulate(by_key - base) + base
        self._positions = np.sort(position)
        self._place = base + np.searchsorted(self._positions, position[by_key])

    def rows(self, key: Ints, *, position: Ints) -> Ints:
        """Return the row of the first event about each key among those at or before a position, −1 without one."""
        if not len(self._place):
            return np.full(len(key), -1, dtype=np.int64)
        group = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        told = np.searchsorted(self._positions, position, side="right") - 1
        at = np.searchsorted(self._place, group * self._width + told, side="right") - 1
        found = (self._keys[group] == key) & (at >= 0) & (self._place[at] // self._width == group)
        return np.where(found, self._first[at], -1)
