"""What a share has become: splits and dividends, as the bars told them.

A bar may say what happened to the share before it opened: ``split_factor``, how many shares there are now for each
one of before, and ``dividend``, the cash paid per share of now. Prices are never rewritten; what is compared across
sessions is multiplied by what a share has become in between::

    growth[s] = growth[s - 1] * split_factor[s] * (1 + dividend[s] / close[s])

so a return over (a, b] is ``close[b] * growth[b] / (close[a] * growth[a]) - 1``: cash is reinvested at the close of
the session from which the share trades without it. Prices that come adjusted tell neither, and nothing is changed.

A split counts from the bar that told it. One that no counted bar told is not known here: the return across it is
wrong, and the expectations of a dataset refuse the absurd ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["cumulative_factors"]

Floats = npt.NDArray[np.float64]


def cumulative_factors(
    close: Floats, *, split: Floats | None, dividend: Floats | None
) -> tuple[Floats | None, Floats | None]:
    """Return what one share has become, with dividends and without.

    Parameters
    ----------
    close, split, dividend : float64 array, shape (symbols, sessions)
        NaN where nothing was told; None where no bar told any.

    Returns
    -------
    growth, split : float64 array, shape (symbols, sessions), or None
        Both None where there was neither a split nor a dividend.

    Examples
    --------
    Two for one in the second session, then one in cash on a close of 50:

    >>> close = np.array([[100.0, 51.0, 50.0]])
    >>> told = np.array([[np.nan, 2.0, np.nan]]), np.array([[np.nan, np.nan, 1.0]])
    >>> growth, split = cumulative_factors(close, split=told[0], dividend=told[1])
    >>> growth.tolist(), split.tolist()
    ([[1.0, 2.0, 2.04]], [[1.0, 2.0, 2.0]])
    """
    if split is None and dividend is None:
        return None, None
    shares = np.ones_like(close) if split is None else np.nan_to_num(split, nan=1.0)
    cash = np.zeros_like(close) if dividend is None else np.nan_to_num(dividend / close, nan=0.0)
    growth, grown_split = np.empty_like(close), np.empty_like(close)
    np.cumprod(shares * (1.0 + cash), axis=1, out=growth)
    np.cumprod(shares, axis=1, out=grown_split)
    return growth, grown_split
