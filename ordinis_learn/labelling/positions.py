"""What was earned where a position was opened and closed again, booked to the signal that opened it.

One position per symbol, first in, first out. Fills are booked in the order in which they were *reported*, so that a
report which comes late does not rewrite what was booked before it. A fill against the position closes its oldest
lots; what remains of it opens a lot the other way round (a reversal). Profit goes to the signal that opened the lot,
net of the fees of both sides. A split changes lots, not their value; dividends are not part of it, nor is borrowing.

A signal's profit is final, and only then a label, when every order of it that was filled has ended and nothing of
what it opened is left. Whatever is filled for the signal after that moves the position, not the label.

The position begins flat at the first fill that is read. Fills of orders that belong to no signal are not seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.labelling.sessions import TIMESTAMP, integers

__all__ = ["POSITION_COLUMNS", "POSITION_RULES", "PositionEffect", "RealisedStatus", "realise_positions"]

POSITION_RULES: Final = "ordinis.labels.positions.v1"
"""The name of this file's rules, for the manifest's ``query_hash``; other rules need another name."""

POSITION_COLUMNS: Final = (
    "position_effect",
    "realised_pnl",
    "realised_ret",
    "realised_available_at",
    "realised_status",
)

_DUST: Final = 1e-9
"""The share of a fill below which what remains of it is a rounding error, not a position."""
_KEY: Final = ("symbol", "signal_id")
_FIRST: Final = ("ts_event", "event_id")
_SIDES: Final = {"buy": 1, "sell": -1}
_MOMENTS: Final = ("known_at", "filled_at", "certain_at", "ended_at")
_NEVER: Final = int(np.iinfo(np.int64).max)
_BOOKED: Final = itemgetter(slice(6))
_NOTHING: Final[dict[str, Any]] = {
    "filled_at": 0,
    "fill_id": "",
    "certain_at": 0,
    "units": 0.0,
    "price": 0.0,
    "fee": 0.0,
}


class PositionEffect(StrEnum):
    """What the orders of a signal did to the position: from nothing, with it, against it, to nothing, through it."""

    OPEN = "open"
    ADD = "add"
    REDUCE = "reduce"
    CLOSE = "close"
    REVERSE = "reverse"


class RealisedStatus(StrEnum):
    """Whether what a signal opened is closed. ``not_opened``: its orders only reduced. ``none``: nothing was filled."""

    REALISED = "realised"
    OPEN = "open"
    NOT_OPENED = "not_opened"
    NONE = "none"


def realise_positions(signals: pa.Table, *, fills: pa.Table) -> pa.Table:
    """Return what signals earned where they opened a position that was closed.

    Parameters
    ----------
    signals : pa.Table
        symbol, signal_id, ts_event, event_id and direction; one row per row of the answer. Where a signal was told
        twice, the first one's direction counts.
    fills : pa.Table
        From :func:`ordinis_learn.labelling.fills_on_grid`. Where no intent told the side, an order goes with its
        signal's direction, or against the position where the signal is FLAT.

    Returns
    -------
    pa.Table
        Rows as in ``signals``: ``position_effect`` (known once all orders of the signal that were filled have ended,
        and kept from then on), ``realised_pnl`` (account currency, net of fees), ``realised_ret`` (over the notional
        that was opened), ``realised_available_at`` and ``realised_status``. Profit, return and time are null unless
        the status is ``realised``.
    """
    filled = pc.is_in(signals["signal_id"], value_set=fills["signal_id"].combine_chunks())
    rows = np.flatnonzero(np.asarray(filled))
    traded = signals.select([*_KEY, "direction", *_FIRST]).take(pa.array(rows))
    keys = _keys(traded)
    last_to_first = traded.sort_by([(name, "descending") for name in _FIRST])
    direction = dict(zip(_keys(last_to_first), last_to_first["direction"].to_pylist(), strict=True))
    accounts: dict[tuple[str, str], _Account] = {}
    books: dict[str, _Book] = {}
    for event in _in_order(fills):
        key = event.symbol, event.signal_id
        book = books.setdefault(event.symbol, _Book())
        account = accounts.setdefault(key, _Account(before=book.side))
        book.book(event, account=account, direction=direction.get(key, 0))
    found = np.full(signals.num_rows, -1)
    found[rows] = np.arange(len(rows))
    answer = _columns([accounts.get(key) for key in keys]).take(pa.array(found, mask=found < 0))
    status = pc.fill_null(answer["realised_status"], RealisedStatus.NONE.value)
    return answer.set_column(answer.num_columns - 1, "realised_status", status)


def _keys(signals: pa.Table) -> list[tuple[str, str]]:
    return list(zip(*(signals[name].to_pylist() for name in _KEY), strict=True))


class _Event(NamedTuple):
    """A reported fill, or (``units`` is 0) the end of an order; in the order in which they are booked."""

    symbol: str
    at: int
    is_end: bool
    filled_at: int
    order_id: str
    fill_id: str
    signal_id: str
    side: str | None
    units: float
    price: float
    fee: float
    certain_at: int


@dataclass(kw_only=True)
class _Account:
    """What is known of one signal's trades; ``final_at`` is None until its profit cannot change."""

    before: int
    after: int = 0
    working: set[str] = field(default_factory=set)
    reduced: bool = False
    opened: float = 0.0
    lots: int = 0
    pnl: float = 0.0
    effect: PositionEffect | None = None
    final_at: int | None = None

    def settle(self, *, at: int) -> None:
        """Take note that all orders may have ended, and that nothing may be left."""
        if self.working:
            return
        if self.effect is None:
            self.effect = self._effect()
        if not self.lots and self.final_at is None:
            self.final_at = at

    def _effect(self) -> PositionEffect:
        if not self.reduced:
            return PositionEffect.ADD if self.before else PositionEffect.OPEN
        if self.opened:
            return PositionEffect.REVERSE
        return PositionEffect.REDUCE if self.after == self.before else PositionEffect.CLOSE


@dataclass(kw_only=True)
class _Lot:
    """Units that one signal opened at one price; without an account once that signal is final."""

    account: _Account | None
    units: float
    price: float
    fee: float


class _Book:
    """The position in one symbol: its lots, oldest first, all of one side."""

    def __init__(self) -> None:
        self.side = 0
        self._lots: deque[_Lot] = deque()
        self._ended: set[str] = set()
        self._certain_at = 0

    def book(self, event: _Event, *, account: _Account, direction: int) -> None:
        """Book a fill, or the end of an order."""
        if event.is_end:
            self._ended.add(event.order_id)
            account.working.discard(event.order_id)
            touched = [account]
        else:
            self._certain_at = max(self._certain_at, event.certain_at)
            side = _SIDES[event.side] if event.side else direction or -self.side
            touched = self._fill(event, account=account, side=side)
        for one in touched:
            one.settle(at=max(event.at, self._certain_at))

    def _fill(self, event: _Event, *, account: _Account, side: int) -> list[_Account]:
        """Close lots of the other side, open one with the rest; return the accounts that had a part."""
        owner = account if account.final_at is None else None
        touched = [account]
        if owner is not None and event.order_id not in self._ended:
            owner.working.add(event.order_id)
        rest, fee = event.units, event.fee / event.units
        while rest and self._lots and side == -self.side:
            lot = self._lots[0]
            units = min(lot.units, rest)
            account.reduced = True
            if lot.account is not None:
                lot.account.pnl += units * (self.side * (event.price - lot.price) - lot.fee - fee)
                touched.append(lot.account)
            lot.units, rest = lot.units - units, rest - units
            self._drop_dust(lot, event)
            rest = rest if rest > _DUST * event.units else 0.0
        if rest and side:
            self._open(_Lot(account=owner, units=rest, price=event.price, fee=fee), side=side)
        account.after = self.side
        return touched

    def _open(self, lot: _Lot, *, side: int) -> None:
        self.side = side
        self._lots.append(lot)
        if lot.account is not None:
            lot.account.lots += 1
            lot.account.opened += lot.units * lot.price

    def _drop_dust(self, lot: _Lot, event: _Event) -> None:
        if lot.units > _DUST * event.units:
            return
        self._lots.popleft()
        self.side = self.side if self._lots else 0
        if lot.account is not None:
            lot.account.lots -= 1


def _in_order(fills: pa.Table) -> list[_Event]:
    """Return fills and the ends of their orders in the order in which they became known, symbol by symbol."""
    columns: dict[str, Iterable[Any]] = {
        name: fills[name].to_pylist() for name in ("symbol", "signal_id", "order_id", "fill_id", "side")
    }
    never = pa.scalar(_NEVER, pa.int64()).cast(TIMESTAMP)
    columns |= {name: integers(fills[name].fill_null(never)).tolist() for name in _MOMENTS}
    split = fills["split"].to_numpy()
    columns["units"] = (fills["qty"].to_numpy() / split).tolist()
    columns["price"] = (fills["price"].to_numpy() * split).tolist()
    columns |= {"fee": fills["fee"].to_pylist(), "at": columns["known_at"], "is_end": repeat(False)}
    nothing = {name: repeat(value) for name, value in _NOTHING.items()}
    ends = columns | nothing | {"at": columns["ended_at"], "is_end": repeat(True)}
    # An order with several fills ends once.
    events = {*_events(columns), *(end for end in _events(ends) if end.at != _NEVER)}
    return sorted(events, key=_BOOKED)


def _events(columns: dict[str, Iterable[Any]]) -> Iterator[_Event]:
    return map(_Event._make, zip(*(columns[name] for name in _Event._fields), strict=False))


def _columns(accounts: list[_Account | None]) -> pa.Table:
    status = [_status(account) for account in accounts]
    rows = zip(accounts, status, strict=True)
    done = [account if one is RealisedStatus.REALISED else None for account, one in rows]
    pnl = [None if account is None else account.pnl for account in done]
    ret = [None if account is None else account.pnl / account.opened for account in done]
    at = [None if account is None else account.final_at for account in done]
    effect = [None if account is None else account.effect for account in accounts]
    return pa.table(
        {
            "position_effect": pa.array(effect, pa.string()),
            "realised_pnl": pa.array(pnl, pa.float64()),
            "realised_ret": pa.array(ret, pa.float64()),
            "realised_available_at": pa.array(at, pa.int64()).view(TIMESTAMP),
            "realised_status": pa.array(status, pa.string()),
        }
    )


def _status(account: _Account | None) -> RealisedStatus:
    if account is None:
        return RealisedStatus.NONE
    if account.final_at is None or account.final_at == _NEVER:
        return RealisedStatus.OPEN
    return RealisedStatus.REALISED if account.opened else RealisedStatus.NOT_OPENED
