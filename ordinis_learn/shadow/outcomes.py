"""Forward returns over the sessions of a calendar, for whoever compares decisions with what came.

A decision at session s is entered at the close of s + 1 and left at that of s + 1 + h. Sessions are the calendar's: a lost
day of bars makes a return missing, it does not stretch the horizon. Nothing here looks beyond the last session
with a bar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ordinis_learn.labelling.calendar import SessionCalendar
from ordinis_learn.market import PriceHistory

__all__ = ["Outcomes"]

Ints = npt.NDArray[np.int64]
Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """Closes laid out over a calendar.

    Attributes
    ----------
    calendar : SessionCalendar
        T sessions.
    symbols : tuple of str, length N
    close : float64 array, shape (T, N)
        NaN where there is no bar.
    """

    calendar: SessionCalendar
    symbols: tuple[str, ...]
    close: Float2D

    @classmethod
    def of(cls, history: PriceHistory, *, calendar: SessionCalendar) -> Outcomes:
        """Lay a history out; bars of days that are no session are left out."""
        day = history.sessions.astype("datetime64[D]").astype(np.int64)
        number = calendar.numbers_of(day)
        close = np.full((len(calendar), len(history.symbols)), np.nan)
        close[number[number > 0] - 1] = history.close[number > 0]
        return cls(calendar=calendar, symbols=history.symbols, close=close)

    def session_of(self, ts_event: Ints) -> Ints:
        """Return the row of the last session that had closed at a moment (microseconds, UTC); −1 before the first."""
        return np.searchsorted(self.calendar.closes, ts_event, side="right").astype(np.int64) - 1

    def forward_return(self, session: Ints, symbol: Ints, *, horizon: int) -> Float1D:
        """Return P[s+1+h] / P[s+1] − 1 for rows of (session, symbol); NaN where it has not come or is not known."""
        returns = np.full(len(session), np.nan)
        ripe = (symbol >= 0) & (session >= 0) & (session + 1 + horizon < len(self.close))
        entry = self.close[session[ripe] + 1, symbol[ripe]]
        returns[ripe] = self.close[session[ripe] + 1 + horizon, symbol[ripe]] / entry - 1.0
        return returns

    def place(self, symbols: npt.NDArray[np.object_]) -> Ints:
        """Return the column of each symbol, −1 for one without prices."""
        columns = {symbol: column for column, symbol in enumerate(self.symbols)}
        return np.array([columns.get(symbol, -1) for symbol in symbols], dtype=np.int64)
