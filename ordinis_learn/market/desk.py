"""A simulated desk that trades a rule on given prices and reports what it did as Ordinis events.

Prices may be real; everything else here is simulated. The order of things at the close of a session:

1. bars of all symbols and the index;
2. orders of the session before are filled (or rejected) at this close, with fees and slippage;
3. the book is marked: one portfolio snapshot;
4. on every ``cadence_sessions``-th session, one signal per symbol with complete features, one risk
   decision per signal, and an order intent where an allowed signal changes the position.

Nothing of a session depends on a later close.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from ordinis_learn.market.book import Book
from ordinis_learn.market.history import INDEX_SYMBOL, PriceHistory
from ordinis_learn.market.limits import DeskParameters, Verdict, judge
from ordinis_learn.market.opinions import RuleOpinions
from ordinis_learn.market.rules import RuleParameters
from ordinis_learn.market.scribe import Scribe
from ordinis_learn.records import Topic

__all__ = ["replay"]

_BPS: Final = 1e-4

Event = dict[str, Any]


_RULE: Final = RuleParameters()
_DESK: Final = DeskParameters()


def replay(
    history: PriceHistory,
    *,
    seed: int,
    parameters: RuleParameters = _RULE,
    desk: DeskParameters = _DESK,
    start: date | None = None,
    end: date | None = None,
) -> Iterator[Event]:
    """Trade a price history session by session and yield the events, in time order.

    The book always starts at the first session of ``history``; ``start`` and ``end`` only choose which
    sessions are reported. So two replays of adjoining spans give the same events as one over both.

    Parameters
    ----------
    history : PriceHistory
        Closes; where one is NaN there is no bar, no signal, and a pending order is cancelled.
    seed : int
        Decides slippage, partial fills and rejections, and enters every event id.
    parameters : RuleParameters
        Of the rule that gives the signals.
    desk : DeskParameters
        Sizes, limits and costs.
    start, end : date, optional
        First and last session to report, both included.

    Yields
    ------
    dict
        Envelopes of plain JSON values with the topics ``BAR``, ``EXECUTION``, ``PORTFOLIO``, ``SIGNAL``,
        ``RISK`` and ``INTENT``. An execution report holds only its own fills and fees.

    Examples
    --------
    >>> from ordinis_learn.market import load_sp500
    >>> events = replay(load_sp500(), seed=7, end=date(1990, 1, 2))
    >>> next(events)["payload"]["symbol"], len(list(events))
    ('AAPL', 21)
    """
    run = _Run(history, seed=seed, rule=parameters, desk=desk)
    for position, session in enumerate(history.sessions.tolist()):
        if end is not None and session > end:
            return
        run.open_session(position, session)
        if start is None or session >= start:
            yield from run.bars()
            yield from run.trade()
        else:
            for _ in run.trade():
                pass


@dataclass(frozen=True, kw_only=True)
class _Order:
    order_id: str
    symbol: int
    quantity: int


class _Run:
    """The state of one replay: where it is, what it owns, what it has ordered."""

    def __init__(
        self, history: PriceHistory, *, seed: int, rule: RuleParameters, desk: DeskParameters
    ) -> None:
        self._symbols = history.symbols
        self._closes: list[list[float]] = history.close.tolist()
        self._index: list[float] = history.index_close.tolist()
        self._desk = desk
        self._opinions = RuleOpinions(history, rule=rule)
        self._scribe = Scribe(seed)
        self._book = Book(history.symbols, cash=desk.initial_cash, drawdown_sessions=desk.drawdown_sessions)
        self._pending: list[_Order] = []
        self._position = 0
        self._session = ""

    def open_session(self, position: int, session: date) -> None:
        """Move to a session; everything below speaks of it."""
        self._position = position
        self._session = session.isoformat()
        self._scribe.open_session(session)

    def bars(self) -> Iterator[Event]:
        """Report every close there is."""
        for symbol, close in zip(self._symbols, self._closes[self._position], strict=True):
            if math.isfinite(close):
                yield self._bar(symbol, close, instrument_type="equity")
        index_close = self._index[self._position]
        if math.isfinite(index_close):
            yield self._bar(INDEX_SYMBOL, index_close, instrument_type="index")

    def _bar(self, symbol: str, close: float, *, instrument_type: str) -> Event:
        payload = {
            "symbol": symbol,
            "tf": "1d",
            "ts": self._scribe.moment,
            "session": self._session,
            "close": close,
        }
        return self._scribe.event(
            Topic.BAR, payload, key=symbol, partition_key=symbol, instrument_type=instrument_type
        )

    def trade(self) -> Iterator[Event]:
        """Fill what was ordered, mark the book, decide when it is time."""
        pending, self._pending = self._pending, []
        for order in pending:
            yield from self._execute(order)
        self._book.mark(self._closes[self._position])
        snapshot = {"ts": self._scribe.moment, **self._book.snapshot()}
        yield self._scribe.event(Topic.PORTFOLIO, snapshot, key="book", partition_key="book")
        if self._position % self._desk.cadence_sessions == 0:
            yield from self._decide()

    def _execute(self, order: _Order) -> Iterator[Event]:
        close = self._closes[self._position][order.symbol]
        rejected, partial, slip, share = self._scribe.chances(order.order_id)
        if not math.isfinite(close):
            yield self._report(order, part=1, status="canceled")
        elif rejected < self._desk.reject_share:
            yield self._report(order, part=1, status="rejected")
        else:
            slippage = self._desk.slippage_bps * _BPS * (0.5 + slip)
            price = close * (1.0 + slippage if order.quantity > 0 else 1.0 - slippage)
            parts = _split(order.quantity, share) if partial < self._desk.partial_share else (order.quantity,)
            for part, quantity in enumerate(parts, start=1):
                fee = abs(quantity) * price * self._desk.fee_bps * _BPS
                self._book.trade(order.symbol, quantity=quantity, price=price, fee=fee)
                fill = {"qty": float(abs(quantity)), "price": price, "fee": fee}
                status = "filled" if part == len(parts) else "partial_fill"
                yield self._report(order, part=part, status=status, fill=fill, slippage=slippage)

    def _report(
        self,
        order: _Order,
        *,
        part: int,
        status: str,
        fill: dict[str, float] | None = None,
        slippage: float = 0.0,
    ) -> Event:
        payload: dict[str, Any] = {"order_id": order.order_id, "status": status}
        if fill is not None:
            fill_id = f"{order.order_id}/{part}"
            payload |= {
                "fills": [{"fill_id": fill_id, "ts": self._scribe.moment, **fill}],
                "avg_price": fill["price"],
                "fees": fill["fee"],
                "slippage": slippage,
            }
        return self._scribe.event(
            Topic.EXECUTION,
            payload,
            key=f"{order.order_id}/{part}",
            partition_key=self._symbols[order.symbol],
        )

    def _decide(self) -> Iterator[Event]:
        for symbol, name in enumerate(self._symbols):
            signal = self._opinions.payload(self._position, symbol)
            if signal is None:
                continue
            signal_id = f"sig-{self._scribe.identity(Topic.SIGNAL, name)}"
            labels = {"model_id": self._desk.model_id, "strategy_id": self._desk.strategy_id}
            yield self._scribe.event(
                Topic.SIGNAL,
                {"signal_id": signal_id, "symbol": name, **signal, **labels},
                key=name,
                partition_key=name,
            )
            verdict = judge(
                self._desk,
                book=self._book,
                symbol=symbol,
                close=self._closes[self._position][symbol],
                opinion=self._opinions.of(self._position, symbol),
            )
            yield self._risk_decision(name, signal_id, verdict)
            if verdict.change:
                yield self._intent(symbol, signal_id, verdict.change)

    def _risk_decision(self, name: str, signal_id: str, verdict: Verdict) -> Event:
        cut = {} if verdict.target_weight is None else {"target_weight": verdict.target_weight}
        payload = {
            "signal_id": signal_id,
            "allowed": verdict.allowed,
            "adjustments": cut,
            "reasons": list(verdict.reasons),
            "policy_version": self._desk.policy_version,
            "risk_snapshot_ref": self._scribe.identity(Topic.PORTFOLIO, "book"),
        }
        return self._scribe.event(Topic.RISK, payload, key=name, partition_key=name)

    def _intent(self, symbol: int, signal_id: str, change: int) -> Event:
        name = self._symbols[symbol]
        order = _Order(
            order_id=f"ord-{self._scribe.identity(Topic.INTENT, name)}", symbol=symbol, quantity=change
        )
        self._pending.append(order)
        payload = {
            "order_id": order.order_id,
            "signal_id": signal_id,
            "symbol": name,
            "side": "buy" if change > 0 else "sell",
            "qty": float(abs(change)),
        }
        return self._scribe.event(Topic.INTENT, payload, key=name, partition_key=name)


def _split(quantity: int, share: float) -> tuple[int, ...]:
    """Cut an order in two parts of at least one unit; one unit stays whole."""
    first = max(1, int(abs(quantity) * (0.3 + 0.4 * share)))
    if first >= abs(quantity):
        return (quantity,)
    sign = 1 if quantity > 0 else -1
    return sign * first, quantity - sign * first
