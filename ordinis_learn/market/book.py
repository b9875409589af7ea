"""What a simulated desk owns."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

__all__ = ["Book"]


class Book:
    """Cash and positions, marked at closes. One writer; money in the account currency.

    Selling short adds to the cash; no interest is paid or earned on cash, margin or borrowed stock.

    Parameters
    ----------
    symbols : sequence of str, length N
    cash : float
        What the book starts with.
    drawdown_sessions : int
        How many sessions back the peak of :attr:`drawdown` may lie.

    Examples
    --------
    >>> book = Book(["KO"], cash=1_000.0, drawdown_sessions=252)
    >>> book.trade(0, quantity=10, price=50.0, fee=1.0)
    >>> book.mark([49.0])
    >>> book.equity, round(book.weight(0), 3)
    (989.0, 0.495)
    """

    def __init__(self, symbols: Sequence[str], *, cash: float, drawdown_sessions: int) -> None:
        self.symbols = tuple(symbols)
        self.cash = cash
        self.quantity = [0] * len(self.symbols)
        self.price = [math.nan] * len(self.symbols)
        self.equity = cash
        self.fees = 0.0
        self._initial = cash
        self._before = cash
        self._recent: deque[float] = deque([cash], maxlen=drawdown_sessions)

    def trade(self, symbol: int, *, quantity: int, price: float, fee: float) -> None:
        """Add a signed quantity at a price; the fee is paid from the cash."""
        self.quantity[symbol] += quantity
        self.cash -= quantity * price + fee
        self.fees += fee

    def mark(self, closes: Sequence[float]) -> None:
        """Value the book at a session's closes; where a close is NaN the last known one stays."""
        for symbol, close in enumerate(closes):
            if math.isfinite(close):
                self.price[symbol] = close
        held = [quantity * self.price[n] for n, quantity in enumerate(self.quantity) if quantity]
        self._before = self.equity
        self.equity = math.fsum([self.cash, *held])
        self._recent.append(self.equity)

    def weight(self, symbol: int) -> float:
        """Return the signed value of a position as a fraction of equity; 0 when the equity is gone."""
        if not self.quantity[symbol] or self.equity <= 0.0:
            return 0.0
        return self.quantity[symbol] * self.price[symbol] / self.equity

    @property
    def drawdown(self) -> float:
        """The loss from the recent peak of equity, as a positive fraction of it; 1 when all is gone."""
        peak = max(self._recent)
        return 1.0 - self.equity / peak if peak > 0.0 else 1.0

    def snapshot(self) -> dict[str, Any]:
        """Return the book as a portfolio snapshot without its time.

        ``equity`` is exactly ``math.fsum([cash, *(qty * price)])`` over ``positions``.
        """
        held = [n for n, quantity in enumerate(self.quantity) if quantity]
        weights = [self.weight(n) for n in held]
        return {
            "cash": self.cash,
            "equity": self.equity,
            "positions": [
                {"symbol": self.symbols[n], "qty": float(self.quantity[n]), "price": self.price[n]}
                for n in held
            ],
            "exposures": {"gross": math.fsum(map(abs, weights)), "net": math.fsum(weights)},
            "pnl": {
                "session": self.equity - self._before,
                "total": self.equity - self._initial,
                "fees": self.fees,
            },
        }
