"""Fills beside the sessions they happened in: what a share had become, and when that was certain."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from ordinis_learn.labelling.sessions import TIMESTAMP, Ints, PriceGrid, integers

__all__ = ["fills_on_grid"]

_NEVER: Final = np.iinfo(np.int64).max


def fills_on_grid(fills: pa.Table, *, grid: PriceGrid) -> pa.Table:
    """Append what a share had become when it was traded.

    A fill belongs to the session that had opened last: what happened to the share before that session opened has
    happened to what was traded.

    Parameters
    ----------
    fills : pa.Table
        From :func:`ordinis_learn.labelling.join_executions`.
    grid : PriceGrid
        Of their symbols.

    Returns
    -------
    pa.Table
        With ``growth`` and ``split`` (see :class:`~ordinis_learn.labelling.PriceGrid`; 1 where nothing was told) and
        ``certain_at``: when the session's bar was told, or, where there is none, when none could come any more; null
        while one may.
    """
    at = grid.row_of(fills["symbol"])
    number = np.searchsorted(grid.opens[1:-1], integers(fills["filled_at"]), side="right")
    certain = _certain(grid, at=at, number=number)
    factors = {"growth": grid.growth, "split": grid.split}
    for name, factor in factors.items():
        fills = fills.append_column(
            name, pa.array(np.ones(len(at)) if factor is None else factor[at, number])
        )
    return fills.append_column("certain_at", pa.array(certain, mask=certain == _NEVER).view(TIMESTAMP))


def _certain(grid: PriceGrid, *, at: Ints, number: Ints) -> Ints:
    told = grid.closed_at[at, number]
    lost = np.where(grid.is_over[number], grid.closes[np.minimum(number + 1, grid.sessions + 1)], _NEVER)
    certain = np.where(told == _NEVER, lost, told)
    return np.where(number == 0, 0, certain)
