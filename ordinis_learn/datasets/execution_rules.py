"""What the columns about a signal's orders, and the profit that they made, must look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ordinis_learn.datasets.expectations import Expectation
from ordinis_learn.datasets.rules import above, absurd, inconsistent, missing, none, unknown
from ordinis_learn.labelling import PositionEffect, RealisedStatus

__all__ = ["EXECUTION_SCHEMA", "execution_rules"]

EXECUTION_SCHEMA: Final = {
    "allowed": "bool",
    "order_id": "string",
    "filled_qty": "double",
    "avg_fill_price": "double",
    "fees": "double",
    "slippage": "double",
    "position_effect": "string",
    "realised_pnl": "double",
    "realised_ret": "double",
    "realised_available_at": "timestamp[us, tz=UTC]",
    "realised_status": "string",
}
_REALISED: Final = ("realised_pnl", "realised_ret", "realised_available_at")
_OPENING: Final = (PositionEffect.OPEN, PositionEffect.ADD, PositionEffect.REVERSE)


def execution_rules() -> Iterator[Expectation]:
    """Return what is expected of executions and of what they realised."""
    yield unknown("join_quality", ("carried", "intent", "inferred", "none"))
    yield absurd("filled_qty", low=0.0)
    yield absurd("avg_fill_price", low=above(0.0))
    yield absurd("fees", low=0.0)
    # Held for years, a position may earn more than a label's session count allows; a short can lose many times its notional.
    yield absurd("realised_ret", low=-20.0, high=100.0)
    yield unknown("position_effect", tuple(PositionEffect))
    yield missing("realised_status")
    yield unknown("realised_status", tuple(RealisedStatus))
    known = "realised_available_at"
    yield none(f"look_ahead({known})", f"{known} < ts_signal", columns=(known, "ts_signal"))
    yield inconsistent("realised_ret", "realised_ret * realised_pnl < 0", columns=("realised_pnl",))
    torn = [f"(realised_status = '{RealisedStatus.REALISED}') <> ({name} IS NOT NULL)" for name in _REALISED]
    yield inconsistent("realised_status", " OR ".join(torn), columns=_REALISED)
    opening = ", ".join(f"'{effect}'" for effect in _OPENING)
    torn = [
        f"position_effect IS NOT NULL AND realised_status = '{RealisedStatus.NONE}'",
        (
            f"realised_status = '{RealisedStatus.REALISED}' "
            f"AND (position_effect IS NULL OR position_effect NOT IN ({opening}))"
        ),
    ]
    yield inconsistent("position_effect", " OR ".join(torn), columns=("realised_status",))
