"""How large a simulated desk's positions are, and what its risk rule forbids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ordinis_learn.market.book import Book
from ordinis_learn.market.opinions import Opinion
from ordinis_learn.records import Fraction, Record

__all__ = ["DeskParameters", "Verdict", "judge"]

_DRAWDOWN: Final = "RISK.DRAWDOWN.MAX_DRAWDOWN_BREACH"
_VOLATILITY: Final = "RISK.VOLATILITY.SYMBOL_LIMIT"
_SYMBOL_CAP: Final = "RISK.EXPOSURE.SYMBOL_CAP"


class DeskParameters(Record):
    """How the desk trades; declared, not fitted.

    Attributes
    ----------
    initial_cash : float
        In the account currency.
    cadence_sessions : int
        Sessions between decisions; 5 keeps the 5-session labels of one symbol nearly disjoint.
    full_weight : float
        Weight of a position at confidence 1, as a fraction of equity.
    symbol_cap : float
        Largest weight of one symbol; larger wishes are cut to it, or denied when it is held already.
    volatility_limit : float
        Annual ``vol_20`` above which no new exposure in the symbol is allowed.
    drawdown_limit, drawdown_sessions : float, int
        Loss from the peak of so many sessions beyond which only closing trades are allowed.
    rebalance_band : float
        Changes of a position smaller than this fraction of equity are not traded.
    fee_bps, slippage_bps : float
        Of the traded notional, per side; slippage is adverse and between half and one and a half of it.
    partial_share, reject_share : float
        Share of orders that are filled in two parts, and that the broker rejects.
    model_id, strategy_id, policy_version : str
        What signals and risk decisions name as their origin.
    """

    initial_cash: PositiveFloat = 1_000_000.0
    cadence_sessions: PositiveInt = 5
    full_weight: Fraction = 0.10
    symbol_cap: Fraction = 0.08
    volatility_limit: PositiveFloat = 0.50
    drawdown_limit: Fraction = 0.15
    drawdown_sessions: PositiveInt = 252
    rebalance_band: Fraction = 0.005
    fee_bps: NonNegativeFloat = 1.0
    slippage_bps: NonNegativeFloat = 5.0
    partial_share: Fraction = 0.10
    reject_share: Fraction = Field(0.01, lt=1.0)
    model_id: str = "rule_v1"
    strategy_id: str = "trend_reversion_v1"
    policy_version: str = "risk_v1"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer to one signal: the signed ``change`` of the position (0 for none), or ``reasons`` against it.

    ``target_weight`` is given where the wish was cut to the symbol's cap.
    """

    change: int = 0
    target_weight: float | None = None
    reasons: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether nothing speaks against the signal."""
        return not self.reasons


def judge(desk: DeskParameters, *, book: Book, symbol: int, close: float, opinion: Opinion) -> Verdict:
    """Size the position that an opinion asks for and say what forbids it; going flat is always allowed.

    Parameters
    ----------
    desk : DeskParameters
        Sizes and limits.
    book : Book
        Marked at this session's close.
    symbol : int
        Position of the symbol in the book.
    close : float
        The symbol's close, by which the order is sized.
    opinion : Opinion
        Of this session.

    Examples
    --------
    >>> book = Book(["KO"], cash=1_000.0, drawdown_sessions=252)
    >>> bullish = Opinion(direction=1, confidence=0.5, volatility=0.2)
    >>> judge(DeskParameters(), book=book, symbol=0, close=5.0, opinion=bullish)
    Verdict(change=10, target_weight=None, reasons=())
    """
    held = book.quantity[symbol]
    if opinion.direction == 0:
        return Verdict(change=-held)
    wish = desk.full_weight * opinion.confidence
    weight = min(wish, desk.symbol_cap)
    breaches = {
        _DRAWDOWN: book.drawdown > desk.drawdown_limit,
        _VOLATILITY: opinion.volatility > desk.volatility_limit,
        _SYMBOL_CAP: wish >= desk.symbol_cap <= opinion.direction * book.weight(symbol),
    }
    reasons = tuple(reason for reason, is_breached in breaches.items() if is_breached)
    if reasons:
        return Verdict(reasons=reasons)
    target = opinion.direction * int(weight * max(book.equity, 0.0) / close)
    is_small = held * target > 0 and abs(target - held) * close <= desk.rebalance_band * book.equity
    return Verdict(
        change=0 if is_small else target - held,
        target_weight=opinion.direction * weight if weight < wish else None,
    )
