"""One bad day is noise: a breach counts once it was seen on k of the last n days."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["persists"]


def persists(breached: Sequence[bool], *, k: int, n: int) -> bool:
    """Tell whether the newest check breached and at least ``k`` of the last ``n`` did.

    Parameters
    ----------
    breached : sequence of bool
        One answer per check, oldest first, the newest last; fewer than ``n`` are taken as they are.
    k, n : int
        1 <= k <= n.

    Examples
    --------
    >>> persists([True, False, True], k=2, n=3), persists([True, True, False], k=2, n=3)
    (True, False)
    >>> persists([True], k=2, n=3), persists([], k=1, n=1)
    (False, False)
    """
    if not 1 <= k <= n:
        raise ValueError(f"k must lie between 1 and n, not k={k}, n={n}")
    return bool(breached) and breached[-1] and sum(breached[-n:]) >= k
