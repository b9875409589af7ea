"""What the scorecards of a backtest assume, held against what the policy assumes.

A backtest without fees, or with limits that are not those a model will trade under, is evidence of another thing. The
scorecard records its assumptions; that they are the asked ones is not for the one who evaluates to choose.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from ordinis_learn.records import Scorecard, TradingLimits
from ordinis_learn.rollout.rules.base import Context, Finding, Params, Rule, failed, passed
from ordinis_learn.rollout.rules.packs import each_pack

__all__ = ["SCORECARDS_JUDGED_WITH"]

_USUAL: Final = TradingLimits()
"""Of cards that name no limits."""
_Bps = Annotated[float, Field(ge=0, le=10_000)]
_Weight = Annotated[float, Field(gt=0, le=10)]


class JudgedWith(Params):
    """Costs per weight traded, the yearly fee on what is short, and limits; each must be exactly so."""

    fee_bps: _Bps
    slippage_bps: _Bps
    borrow_bps: _Bps = _USUAL.borrow_bps
    max_gross: _Weight = _USUAL.max_gross
    max_position: _Weight = _USUAL.max_position
    shorts: bool = _USUAL.shorts


def _judge(context: Context, params: JudgedWith) -> Finding:
    asked = params.model_dump()

    def judge(card: Scorecard) -> Finding:
        limits = card.trading or _USUAL
        found = {"fee_bps": card.fee_bps, "slippage_bps": card.slippage_bps} | {
            name: getattr(limits, name) for name in TradingLimits.model_fields
        }
        others = [name for name in asked if found[name] != asked[name]]
        if others:
            return failed(
                "; ".join(f"{name} {_said(found[name])}, not {_said(asked[name])}" for name in others),
                "evaluate it again with the BENCH_* settings of the policy, or have another policy adopted",
            )
        return passed("as asked")

    return each_pack(context, judge)


def _said(value: float) -> str:
    if isinstance(value, bool):
        return "allowed" if value else "barred"
    return f"{value:g}"


def _asked(params: JudgedWith) -> str:
    figures = {name: _said(value) for name, value in params.model_dump().items()}
    return f"scorecards judged with {', '.join(f'{name} {value}' for name, value in figures.items())}"


SCORECARDS_JUDGED_WITH: Rule[JudgedWith] = Rule(
    name="scorecards_judged_with",
    params=JudgedWith,
    asked=_asked,
    judge=_judge,
    source="scorecards: costs and limits",
)
