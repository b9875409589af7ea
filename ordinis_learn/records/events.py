"""The envelope and the payload of every stream LEARN reads or emits.

Unknown fields are refused unless ``schema_version`` is a newer *minor* than ours, in which case
capture keeps them in the stored text and the record model ignores them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import Field, FiniteFloat, PositiveInt, field_validator
from pydantic_core import to_json

from ordinis_learn.records.base import Fraction, Record, UtcDatetime

__all__ = [
    "PAYLOADS",
    "REQUIRED_TAGS",
    "SCHEMA_VERSION",
    "AiFeedback",
    "AiRefusal",
    "AiResponse",
    "AnalyticsReport",
    "Direction",
    "Envelope",
    "ExecutionReport",
    "FeatureVector",
    "Fill",
    "MarketBar",
    "OrderIntent",
    "PortfolioSnapshot",
    "RiskDecision",
    "SignalGenerated",
    "Topic",
]

SCHEMA_VERSION: Final = "1.0.0"
REQUIRED_TAGS: Final = frozenset({"instrument_type", "venue", "jurisdiction", "env"})

# No NUL: text columns of PostgreSQL cannot hold one.
_Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]
_Positive = Annotated[FiniteFloat, Field(gt=0)]
_NotNegative = Annotated[FiniteFloat, Field(ge=0)]


class Topic(StrEnum):
    """The event types that have a schema here."""

    SIGNAL = "ordinis.signals.generated"
    RISK = "ordinis.risk.decision"
    EXECUTION = "ordinis.executions.report"
    PORTFOLIO = "ordinis.portfolio.snapshot"
    ANALYTICS = "ordinis.analytics.report"
    AI_RESPONSE = "ordinis.ai.response"
    AI_REFUSAL = "ordinis.ai.refusal"
    AI_FEEDBACK = "ordinis.ai.feedback"
    FEATURES = "ordinis.features.vector.computed"
    BAR = "ordinis.market.bar.closed"
    INTENT = "ordinis.orders.intent"


class Direction(StrEnum):
    """What a signal says about its symbol."""

    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"

    @property
    def sign(self) -> int:
        """+1, −1 or 0."""
        return {"LONG": 1, "SHORT": -1, "FLAT": 0}[self.value]


class SignalGenerated(Record):
    """One opinion of one model about one symbol. ``metadata["features"]`` holds what it saw."""

    signal_id: _Name
    symbol: _Name
    direction: Direction
    confidence: Fraction
    horizon: Annotated[str, Field(pattern=r"^[1-9][0-9]*[dhm]$")]
    ttl_ms: PositiveInt = 60_000
    model_id: _Name
    strategy_id: _Name
    feature_version: _Name
    metadata: dict[str, Any] = Field(default_factory=dict)

    @field_validator("metadata")
    @classmethod
    def _features_are_finite(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        _check_features(metadata.get("features", {}))
        return metadata


class FeatureVector(Record):
    """Features of one symbol, known at the envelope's ``ts_event``."""

    symbol: _Name
    tf: _Name
    feature_version: _Name
    features: dict[str, FiniteFloat]
    window_ref: str | None = None


class RiskDecision(Record):
    """Whether a signal may become an order. Reasons read ``RISK.<CATEGORY>.<CODE>``."""

    signal_id: _Name
    allowed: bool
    adjustments: dict[str, Any] = Field(default_factory=dict)
    reasons: tuple[Annotated[str, Field(pattern=r"^RISK\.[A-Z_]+\.[A-Z_]+$")], ...] = ()
    policy_version: _Name
    risk_snapshot_ref: str


class OrderIntent(Record):
    """The link from a signal to an order."""

    order_id: _Name
    signal_id: _Name
    symbol: _Name
    side: Literal["buy", "sell"]
    qty: _Positive


class Fill(Record):
    """One execution of (a part of) an order; money in the account currency."""

    fill_id: _Name
    ts: UtcDatetime
    qty: _Positive
    price: _Positive
    fee: _NotNegative = 0.0


class ExecutionReport(Record):
    """What became of an order. ``slippage`` is a fraction of the reference price."""

    order_id: _Name
    status: Literal["submitted", "partial_fill", "filled", "rejected", "canceled"]
    fills: tuple[Fill, ...] = ()
    avg_price: FiniteFloat | None = None
    fees: _NotNegative = 0.0
    slippage: FiniteFloat = 0.0
    raw_broker_ref: str | None = None


class PortfolioSnapshot(Record):
    """The book after a session; money in the account currency."""

    ts: UtcDatetime
    cash: FiniteFloat
    equity: FiniteFloat
    positions: tuple[dict[str, Any], ...] = ()
    exposures: dict[str, FiniteFloat] = Field(default_factory=dict)
    pnl: dict[str, FiniteFloat] = Field(default_factory=dict)


class AnalyticsReport(Record):
    """Metrics of a run. An undefined metric is 0 with an entry in ``metric_quality``."""

    run_id: _Name
    period: _Name
    metrics: dict[str, FiniteFloat]
    metric_quality: dict[str, str] = Field(default_factory=dict)
    narrative_ref: str | None = None
    artifacts: dict[str, str] = Field(default_factory=dict)


class AiResponse(Record):
    """One answer of a language model.

    Where it was written from retrieved documents, ``output["retrieval"]`` holds what the index returned:
    ``query``, ``index_version`` and ``chunks``, best first, each with ``doc_id``, ``locator`` and optionally ``score``.
    """

    model_used: _Name
    latency_ms: _NotNegative
    token_usage: dict[str, int] = Field(default_factory=dict)
    output: dict[str, Any] = Field(default_factory=dict)
    text: str | None = None
    citations: tuple[dict[str, Any], ...] = ()
    safety_findings: tuple[dict[str, Any], ...] = ()
    request_hash: _Name


class AiRefusal(Record):
    """A language model declined."""

    refusal_reason: _Name
    policy_ref: str | None = None
    request_hash: str | None = None


class AiFeedback(Record):
    """What somebody thought of an answer, at any time after it; a grader's newest word counts.

    ``grade`` runs from 0 (wrong) to 1 (right). ``relevant`` names the documents that hold the answer, as
    ``{doc_id, locator}``.
    """

    request_hash: _Name
    grade: Fraction
    grader: _Name
    relevant: tuple[dict[str, Any], ...] = ()
    comment: str | None = None


class MarketBar(Record):
    """A finished bar. Only the close is required: some histories have nothing else.

    Prices are as they were traded. What happened to the share before the bar opened is told beside them:
    ``split_factor``, the shares that there are now for each one of before, and ``dividend``, the cash paid per share
    of now, in the account currency. Bars with adjusted prices leave both out.
    """

    symbol: _Name
    tf: _Name
    ts: UtcDatetime
    session: date
    close: _Positive
    open: _Positive | None = None
    high: _Positive | None = None
    low: _Positive | None = None
    volume: _NotNegative | None = None
    split_factor: _Positive | None = None
    dividend: _NotNegative | None = None


PAYLOADS: Final[Mapping[Topic, type[Record]]] = MappingProxyType(
    {
        Topic.SIGNAL: SignalGenerated,
        Topic.RISK: RiskDecision,
        Topic.EXECUTION: ExecutionReport,
        Topic.PORTFOLIO: PortfolioSnapshot,
        Topic.ANALYTICS: AnalyticsReport,
        Topic.AI_RESPONSE: AiResponse,
        Topic.AI_REFUSAL: AiRefusal,
        Topic.AI_FEEDBACK: AiFeedback,
        Topic.FEATURES: FeatureVector,
        Topic.BAR: MarketBar,
        Topic.INTENT: OrderIntent,
    }
)


class Envelope(Record):
    """What surrounds every payload; ``event_id`` is the key of idempotence."""

    event_id: _Name
    event_type: _Name
    schema_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = SCHEMA_VERSION
    ts_event: UtcDatetime
    ts_ingest: UtcDatetime
    source: _Name
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str | None = None
    correlation_id: _Name
    partition_key: _Name
    payload: dict[str, Any]
    tags: dict[str, str]
    idempotency_key: str | None = None
    sig: str | None = None

    @cached_property
    def payload_json(self) -> str:
        """The payload as compact JSON text; a ValueError where it holds NaN, an infinity or no JSON value."""
        text = to_json(self.payload, inf_nan_mode="constants").decode()
        if "NaN" in text or "Infinity" in text:
            json.loads(text, parse_constant=_refuse_constant)
        return text


def _check_features(features: Any) -> None:
    if not isinstance(features, dict):
        raise ValueError("metadata.features is not an object of numbers")  # noqa: TRY004  pydantic reads ValueError
    for name, value in features.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise ValueError(f"feature {name!r} is {value!r}, not a finite number")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no double can hold
        return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"the payload holds {name}, which JSON has no word for")
