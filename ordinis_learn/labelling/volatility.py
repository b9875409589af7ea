"""How far a price moves in a session, as it was known when a signal was made.

Exponentially weighted, with a mean of zero and the span given: the weight of an observation is ``1 - 2 / (span + 1)``
times that of the next one (RiskMetrics 1996 has 0.94 for daily data, which is a span of 32). Only the
last sessions have a part, at least five spans and 99.995 % of the weight, so that the answer does not depend on where a
log begins. Their number is a power of two: a sum over 2k sessions is two sums over k, the older one decayed.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ordinis_learn.labelling.sessions import Floats, Ints, PriceGrid

__all__ = ["ex_ante_volatility", "lookback_sessions", "session_volatility"]

_MEMORY_SPANS: Final = 5


def lookback_sessions(span: int) -> int:
    """Return how many sessions of returns have a part in a volatility.

    Examples
    --------
    >>> lookback_sessions(32)
    256
    """
    return int(1 << (_MEMORY_SPANS * span - 1).bit_length())


def session_volatility(grid: PriceGrid, *, span: int) -> Floats:
    """Return the volatility per session of every symbol at the end of every session.

    An observation is the log return from one bar to the next, splits and dividends included, over the square root
    of the sessions between them: after a halt the first return counts once, scaled to one session.

    Parameters
    ----------
    grid : PriceGrid
        Of the symbols.
    span : int
        Sessions, at least 2.

    Returns
    -------
    float64 array, shape (symbols + 1, sessions + 2)
        Standard deviation of a session's log return, as a fraction, not annualised. NaN with fewer than
        ``span // 2`` observations within memory, and where nothing has moved.
    """
    squared = _squared_returns(grid)
    told = ~np.isnan(squared)
    squared[~told] = 0.0
    decay = 1.0 - 2.0 / (span + 1)
    memory = lookback_sessions(span)
    total = _windowed(squared, memory=memory, decay=decay)
    weight = _windowed(told.astype(np.float64), memory=memory, decay=decay)
    count = _windowed(told.astype(np.float64), memory=memory, decay=1.0)
    fit = (count >= max(span // 2, 1)) & (total > 0.0)
    volatility: Floats = np.sqrt(np.divide(total, weight, out=np.full(total.shape, np.nan), where=fit))
    return volatility


def ex_ante_volatility(
    volatility: Floats, *, grid: PriceGrid, at: Ints, number: Ints, moments: Ints
) -> Floats:
    """Return what was known of :func:`session_volatility` at each signal.

    Parameters
    ----------
    volatility : float64 array
        From :func:`session_volatility`.
    at, number, moments : int64 array, shape (n,)
        Each signal's row of the grid, its session's number, and its time in microseconds since 1970. Where the bar
        of its own session was told after the signal, the session before is the last one known.
    """
    known = grid.closed_at[at, number] <= moments
    found: Floats = volatility[at, np.where(known, number, np.maximum(number - 1, 0))]
    return found


def _windowed(values: Floats, *, memory: int, decay: float) -> Floats:
    """Return the decayed sum of each row's last ``memory`` values (a power of two) at every column."""
    sums = values.copy()
    width = 1
    while width < memory:
        older = sums[:, : max(sums.shape[1] - width, 0)] * decay**width
        sums[:, width:] += older
        width *= 2
    return sums


def _squared_returns(grid: PriceGrid) -> Floats:
    value = grid.close if grid.growth is None else grid.close * grid.growth
    column = np.arange(value.shape[1])
    seen = np.maximum.accumulate(np.where(np.isnan(value), -1, column), axis=1)
    before = np.pad(seen[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
    last = np.take_along_axis(value, np.maximum(before, 0), axis=1)
    moved = np.log(np.divide(value, last, out=np.full(value.shape, np.nan), where=before >= 0))
    squared: Floats = moved**2 / (column - before)
    return squared
