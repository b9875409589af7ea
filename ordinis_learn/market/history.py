"""Daily closes of a universe and its index, as arrays.

Synopsis: ``load_sp500()`` is the history in the package; :meth:`PriceHistory.from_bars` reads captured bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["INDEX_SYMBOL", "PriceHistory", "load_sp500"]

INDEX_SYMBOL: Final = "^SPX"

Sessions = npt.NDArray[np.datetime64]
Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceHistory:
    """Closes by session and symbol.

    Attributes
    ----------
    sessions : datetime64[D] array, shape (T,)
        Strictly increasing trading days.
    symbols : tuple of str, length N
    close : float64 array, shape (T, N)
        Adjusted closes in the account currency; NaN where a symbol had no bar.
    index_close : float64 array, shape (T,)
        The index level.
    """

    sessions: Sessions
    symbols: tuple[str, ...]
    close: Float2D
    index_close: Float1D

    def __post_init__(self) -> None:
        shape = (len(self.sessions), len(self.symbols))
        if self.close.shape != shape or self.index_close.shape != shape[:1]:
            raise ValueError(
                f"close is {self.close.shape} and index {self.index_close.shape}, expected {shape}"
            )
        if np.any(np.diff(self.sessions) <= np.timedelta64(0, "D")):
            raise ValueError("sessions are not strictly increasing")

    def between(self, start: date, end: date) -> PriceHistory:
        """Return the sessions from ``start`` to ``end``, both included."""
        keep = (self.sessions >= np.datetime64(start)) & (self.sessions <= np.datetime64(end))
        return PriceHistory(
            sessions=self.sessions[keep],
            symbols=self.symbols,
            close=self.close[keep],
            index_close=self.index_close[keep],
        )

    def to_table(self) -> pa.Table:
        """Return one row per session: ``session`` date32, a float64 column per symbol, the index last."""
        columns: dict[str, Any] = {"session": pa.array(self.sessions.astype("datetime64[D]"))}
        columns |= {symbol: pa.array(self.close[:, n]) for n, symbol in enumerate(self.symbols)}
        return pa.table(columns | {INDEX_SYMBOL: pa.array(self.index_close)})

    @classmethod
    def from_table(cls, table: pa.Table) -> PriceHistory:
        """Read what :meth:`to_table` wrote."""
        symbols = tuple(name for name in table.column_names if name not in {"session", INDEX_SYMBOL})
        columns = [table[symbol].to_numpy() for symbol in symbols]
        return cls(
            sessions=table["session"].to_numpy().astype("datetime64[D]"),
            symbols=symbols,
            close=np.column_stack(columns).astype(np.float64),
            index_close=table[INDEX_SYMBOL].to_numpy().astype(np.float64),
        )

    @classmethod
    def from_bars(
        cls, *, session: npt.ArrayLike, symbol: npt.ArrayLike, close: npt.ArrayLike
    ) -> PriceHistory:
        """Pivot long bars (one row per session and symbol) into arrays; the last of two equal keys wins."""
        days, row = np.unique(np.asarray(session, dtype="datetime64[D]"), return_inverse=True)
        names, column = np.unique(np.asarray(symbol, dtype=str), return_inverse=True)
        grid = np.full((len(days), len(names)), np.nan)
        grid[row, column] = np.asarray(close, dtype=np.float64)
        is_index = names == INDEX_SYMBOL
        index_close = grid[:, is_index][:, 0] if is_index.any() else np.full(len(days), np.nan)
        return cls(
            sessions=days,
            symbols=tuple(str(name) for name in names[~is_index]),
            close=grid[:, ~is_index],
            index_close=index_close,
        )


def load_sp500() -> PriceHistory:
    """Return 20 S&P 500 stocks and the index, daily, 1990-01-02 to 2022-12-28.

    The closes are adjusted for splits and dividends; the stocks are survivors of the whole period, so
    any long strategy on them looks better than it was. Source and licence: ``data/ATTRIBUTION.md``.

    Examples
    --------
    >>> history = load_sp500()
    >>> history.close.shape, history.symbols[0]
    ((8313, 20), 'AAPL')
    """
    source = resources.files("ordinis_learn.market") / "data" / "sp500_1990_2022.parquet"
    with resources.as_file(source) as path:
        return PriceHistory.from_table(pq.read_table(path))
