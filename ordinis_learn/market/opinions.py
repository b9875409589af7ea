"""What the rule thinks of every symbol at every close."""

from __future__ import annotations

from typing import Any, Final

from ordinis_learn.market.features import FEATURE_VERSION, compute_features
from ordinis_learn.market.history import PriceHistory
from ordinis_learn.market.rules import RuleParameters, rule_signals

__all__ = ["RuleOpinions"]

_DIRECTION_NAMES: Final = {1: "LONG", -1: "SHORT", 0: "FLAT"}
_DAY_MS: Final = 86_400_000


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

    def of(self, position: int, symbol: int) -> tuple[int, float, float]:
        """Return direction, confidence and annual ``vol_20`` at one session and symbol."""
        return (
            int(self._direction[position, symbol]),
            float(self._confidence[position, symbol]),
            float(self._volatility[position, symbol]),
        )

    def payload(self, position: int, symbol: int) -> dict[str, Any] | None:
        """Return what a signal would say, None before every feature is known."""
        if not self._complete[position, symbol]:
            return None
        direction, confidence, _ = self.of(position, symbol)
        values = self._cube.values[position, symbol].tolist()
        return {
            "direction": _DIRECTION_NAMES[direction],
            "confidence": confidence,
            "horizon": "5d",
            "ttl_ms": _DAY_MS,
            "feature_version": FEATURE_VERSION,
            "metadata": {"features": dict(zip(self._cube.names, values, strict=True))},
        }
