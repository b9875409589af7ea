"""What the rule thinks of every symbol at every close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ordinis_learn.market.features import FEATURE_VERSION, compute_features
from ordinis_learn.market.history import PriceHistory
from ordinis_learn.market.rules import RuleParameters, rule_signals

__all__ = ["Opinion", "RuleOpinions"]

_DIRECTION_NAMES: Final = {1: "LONG", -1: "SHORT", 0: "FLAT"}
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """A direction (+1, -1, 0), its confidence in [0, 1], and the symbol's annual volatility."""

    direction: int
    confidence: float
    volatility: float


class RuleOpinions:
    """The rule's answer for a whole history, computed at once from features known at each close.

    Parameters
    ----------
    history : PriceHistory
    rule : RuleParameters
    """

    def __init__(self, history: PriceHistory, *, rule: RuleParameters) -> None:
        self._cube = compute_features(history)
        sessions, symbols, features = self._cube.values.shape
        rows = self._cube.values.reshape(sessions * symbols, features)
        direction, confidence = rule_signals(rows, names=self._cube.names, parameters=rule)
        self._complete = self._cube.complete
        self._direction = direction.reshape(sessions, symbols)
        self._confidence = confidence.reshape(sessions, symbols)
        self._volatility = self._cube.values[:, :, self._cube.names.index("vol_20")]

    def of(self, position: int, symbol: int) -> Opinion:
        """Return the opinion at one session and symbol, with ``vol_20`` as its volatility."""
        return Opinion(
            direction=int(self._direction[position, symbol]),
            confidence=float(self._confidence[position, symbol]),
            volatility=float(self._volatility[position, symbol]),
        )

    def payload(self, position: int, symbol: int) -> dict[str, Any] | None:
        """Return what a signal would say, None before every feature is known."""
        if not self._complete[position, symbol]:
            return None
        opinion = self.of(position, symbol)
        values = self._cube.values[position, symbol].tolist()
        return {
            "direction": _DIRECTION_NAMES[opinion.direction],
            "confidence": opinion.confidence,
            "horizon": "5d",
            "ttl_ms": _DAY_MS,
            "feature_version": FEATURE_VERSION,
            "metadata": {"features": dict(zip(self._cube.names, values, strict=True))},
        }
