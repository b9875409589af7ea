"""The history of a symbol's features as columns of a dataset's rows; see :mod:`ordinis_learn.market.lags`.

A value some sessions ago is that of the symbol's row of exactly that session, by the exchange's calendar: rows of a desk that
decides weekly have one for lags of 5, 10, … sessions, and none for the others. A missing row makes a value missing, it does
not stretch the history.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.labelling import FEATURE_PREFIX, load_calendar
from ordinis_learn.market.lags import split_lag

__all__ = ["history_reaches", "with_history"]

Int1D = npt.NDArray[np.int64]

_MOST_SESSIONS: Final = 1 << 24


def with_history(rows: pa.Table, columns: Sequence[str], *, calendar: str) -> pa.Table:
    """Return the rows with a column ``f_<name>@<sessions>`` for each lagged one among ``columns``; others are ignored.

    Parameters
    ----------
    rows : pa.Table
        With ``symbol``, ``session`` and the features' columns, in any order. Where a symbol has several rows in a session,
        the first one speaks for it.
    calendar : str
        By which sessions are counted, e.g. ``XNYS``.

    Returns
    -------
    pa.Table
        The same rows in the same order. NaN where there is no such row, or no such feature.
    """
    lagged = _lagged(rows, columns)
    places = _places(rows, {sessions for _, _, sessions in lagged}, calendar=calendar)
    for column, name, sessions in lagged:
        place, there = places[sessions]
        values = np.full(rows.num_rows, np.nan)
        if FEATURE_PREFIX + name in rows.column_names:
            values[there] = rows[FEATURE_PREFIX + name].to_numpy()[place[there]]
        rows = rows.append_column(FEATURE_PREFIX + column, pa.array(values))
    return rows


def history_reaches(rows: pa.Table, columns: Sequence[str], *, calendar: str) -> npt.NDArray[np.bool_]:
    """Return for which rows every earlier row that ``columns`` look back to is there, shape (n,).

    Its features may still be missing; that is another matter.
    """
    sessions = {sessions for _, _, sessions in _lagged(rows, columns)}
    reaches = np.ones(rows.num_rows, dtype=np.bool_)
    for _, there in _places(rows, sessions, calendar=calendar).values():
        reaches &= there
    return reaches


def _lagged(rows: pa.Table, columns: Sequence[str]) -> list[tuple[str, str, int]]:
    """Return column, feature and sessions of those that look back and are not there already."""
    known = set(rows.column_names)
    split = [(column, *split_lag(column)) for column in columns if FEATURE_PREFIX + column not in known]
    return [(column, name, sessions) for column, name, sessions in split if sessions]


def _places(
    rows: pa.Table, sessions: Collection[int], *, calendar: str
) -> dict[int, tuple[Int1D, npt.NDArray[np.bool_]]]:
    """Return, for each number of sessions ago, each row's earlier row and whether there is one."""
    if not sessions or not rows.num_rows:
        nowhere = np.zeros(rows.num_rows, dtype=np.int64)
        return dict.fromkeys(sessions, (nowhere, nowhere.astype(np.bool_)))
    keys = _keys(rows, calendar=calendar)
    known, first = np.unique(keys, return_index=True)
    found = {}
    for ago in sessions:
        at = np.minimum(np.searchsorted(known, keys - ago), len(known) - 1)
        found[ago] = (first[at].astype(np.int64), np.asarray(known[at] == keys - ago))
    return found


def _keys(rows: pa.Table, *, calendar: str) -> Int1D:
    """Return a number per (symbol, session) such that ``key - k`` is the same symbol k sessions ago."""
    days = np.asarray(rows["session"].to_numpy()).astype("datetime64[D]")
    start, end = (day.astype(date) for day in (days.min(), days.max()))
    # A single day has no history, and is no stretch that a calendar could be asked for.
    number = np.zeros(len(days), dtype=np.int64)
    if start < end:
        number = load_calendar(calendar, start=start, end=end).numbers_of(days.astype(np.int64))
    symbol = np.unique(np.asarray(rows["symbol"].to_pylist()), return_inverse=True)[1].astype(np.int64)
    # A day that is no session has a number to itself below all others: nothing is so many sessions before it.
    number = np.where(number > 0, number + _MOST_SESSIONS // 2, 0)
    return symbol * _MOST_SESSIONS + number
