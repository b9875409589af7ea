"""What each type of the old shape becomes: the table of ``docs/adapter.md`` as code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from ordinis_learn.capture.adapter_reading import LegacyEvent
from ordinis_learn.records import Topic
from ordinis_learn.records.canonical import hash_of

__all__ = ["UNMAPPED", "PayloadMapping", "mapping_of"]

_DIRECTIONS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("entry", "long"): "LONG",
        ("entry", "short"): "SHORT",
        ("exit", "long"): "FLAT",
        ("exit", "short"): "FLAT",
        ("exit", "neutral"): "FLAT",
        ("hold", "neutral"): "FLAT",
    }
)
"""Which opinion a signal's type and direction are together; every other pair could mean two."""

UNMAPPED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bar": "a bar does not say which session of which exchange it belongs to",
        "risk_check": "the verdict of one rule is not the decision on a signal",
        "rebalance": "a rebalance names no single signal or order",
        "metric": "a metric has no run and no period",
    }
)
"""Known types without a counterpart, and why."""


@dataclass(frozen=True, kw_only=True)
class PayloadMapping:
    """From one payload to another: names taken over as they are, and a function for the rest.

    ``build`` never writes a name of ``copies``. What is left over goes into the payload's own
    ``metadata.legacy`` where its schema has metadata, else into the envelope's tag ``legacy``.
    """

    topic: Topic
    build: Callable[[LegacyEvent], dict[str, Any]]
    copies: Mapping[str, str] = field(default_factory=dict)
    keeps_in_metadata: bool = False


def mapping_of(event_type: str) -> PayloadMapping | None:
    """Return the mapping of a type, None where it has no counterpart."""
    return _MAPPINGS.get(event_type)


def _signal(event: LegacyEvent) -> dict[str, Any]:
    inner = event.payload.get("metadata")
    features = inner.get("features") if isinstance(inner, dict) else None
    return {
        "symbol": event.symbol,
        "signal_id": event.carried_or("signal_id", event.event_id),
        "direction": _direction(event),
        "confidence": _confidence(event),
        "horizon": event.carried_or("horizon", event.default_horizon),
        "strategy_id": event.carried_or("strategy_id", "unknown"),
        "feature_version": event.carried_or("feature_version", "unknown"),
        "metadata": {} if features is None else {"features": features},
    }


def _direction(event: LegacyEvent) -> str:
    kind, direction = event.require("signal_type"), event.require("direction")
    found = _DIRECTIONS.get((str(kind), str(direction)))
    if found is None:
        raise event.ambiguous(f"a signal of type {kind!r:.40} with direction {direction!r:.40}")
    return found


def _confidence(event: LegacyEvent) -> Any:
    """Return the probability; ``confidence`` was another name for it, so two different numbers are two claims."""
    named = [
        event.payload[name] for name in ("probability", "confidence") if event.payload.get(name) is not None
    ]
    if not named:
        event.require("probability")
    if named[0] != named[-1]:
        raise event.ambiguous(f"probability is {named[0]!r:.40} and confidence is {named[-1]!r:.40}")
    return named[0]


def _report(status: str) -> Callable[[LegacyEvent], dict[str, Any]]:
    def build(event: LegacyEvent) -> dict[str, Any]:
        fills = [_fill(event, one) for one in _fills(event, needed=status != "canceled")]
        return {"status": status, "fills": fills, "fees": sum(fill["fee"] for fill in fills)}

    return build


def _fills(event: LegacyEvent, *, needed: bool) -> list[Mapping[str, Any]]:
    """Return the fills that an order lists, or the payload itself where it is one fill."""
    listed = event.payload.get("fills")
    if listed is None and "price" in event.payload and needed:
        return [event.payload]
    if listed is None and not needed:
        return []
    if (
        not isinstance(listed, list)
        or not all(isinstance(one, dict) for one in listed)
        or (needed and not listed)
    ):
        raise event.ambiguous("there is no fill in it")
    return listed


def _fill(event: LegacyEvent, fill: Mapping[str, Any]) -> dict[str, Any]:
    multiplier = fill.get("multiplier")
    if multiplier is not None and multiplier != 1:
        raise event.ambiguous(f"a fill with multiplier {multiplier!r:.40}: our prices are per unit")
    when = event.moment(fill.get("timestamp"), field="the fill's timestamp").isoformat()
    qty, price, fee = fill.get("quantity"), fill.get("price"), fill.get("commission")
    if fee is not None and (isinstance(fee, bool) or not isinstance(fee, int | float)):
        raise event.ambiguous(f"commission is {fee!r:.40}")
    identity = {"order": str(event.payload.get("order_id")), "ts": when, "qty": str(qty), "price": str(price)}
    fill_id = fill.get("fill_id")
    if fill_id is None:
        event.declared.add("fill_id")
        fill_id = hash_of(identity, domain="ordinis.legacy.fill.v1")
    return {"fill_id": fill_id, "ts": when, "qty": qty, "price": price, "fee": 0.0 if fee is None else fee}


def _intent(event: LegacyEvent) -> dict[str, Any]:
    side = event.require("side")
    if str(side).upper() not in {"BUY", "SELL"}:
        raise event.ambiguous(f"side is {side!r:.40}")
    return {"symbol": event.symbol, "side": side.lower(), "qty": event.require("quantity")}


_ORDER: Final = MappingProxyType({"order_id": "order_id", "slippage": "slippage"})
_INTENT: Final = PayloadMapping(
    topic=Topic.INTENT, build=_intent, copies={"order_id": "order_id", "signal_id": "signal_id"}
)
_MAPPINGS: Final[Mapping[str, PayloadMapping]] = MappingProxyType(
    {
        "signal": PayloadMapping(
            topic=Topic.SIGNAL,
            build=_signal,
            copies={"model_id": "model_id"},
            keeps_in_metadata=True,
        ),
        "fill": PayloadMapping(topic=Topic.EXECUTION, build=_report("partial_fill"), copies=_ORDER),
        "order": _INTENT,
        "order_submitted": _INTENT,
        "order_filled": PayloadMapping(topic=Topic.EXECUTION, build=_report("filled"), copies=_ORDER),
        "order_cancelled": PayloadMapping(topic=Topic.EXECUTION, build=_report("canceled"), copies=_ORDER),
    }
)
