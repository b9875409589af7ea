"""What a dataset was made from, and what it holds."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, field_validator, model_validator

from ordinis_learn.records.base import Record, Sha256, UtcDatetime

__all__ = [
    "BarrierRule",
    "DatasetFile",
    "DatasetManifest",
    "DatasetValidation",
    "DatasetWindow",
    "EventRange",
    "ExpectationResult",
    "FeatureProfile",
    "JoinQuality",
    "LabelStats",
]


class BarrierRule(Record):
    """Where the triple barrier stands.

    ``profit`` and ``stop`` are in units of the volatility known at the signal, over ``sessions`` sessions; after
    that many sessions the label ends without a touch.
    """

    profit: PositiveFloat = 1.0
    stop: PositiveFloat = 1.0
    sessions: Annotated[int, Field(ge=1, le=252)] = 5


class DatasetWindow(Record):
    """Which signals go in: sessions ``start``..``end`` inclusive, labels at ``horizons`` sessions.

    ``as_of`` is the moment of knowledge: labels not yet available then are left empty. ``calendar`` says what a
    session is, by the names of ``exchange_calendars`` (``24/7`` for crypto). ``volatility_span`` is in sessions.
    ``barriers`` may be None: then there are no triple-barrier labels.
    """

    start: date
    end: date
    horizons: tuple[int, ...] = (1, 5, 20)
    symbols: tuple[str, ...] | None = None
    as_of: UtcDatetime | None = None
    calendar: Annotated[str, Field(min_length=1)] = "XNYS"
    volatility_span: Annotated[int, Field(ge=2, le=252)] = 32
    barriers: BarrierRule | None = BarrierRule()

    @field_validator("horizons", mode="before")
    @classmethod
    def _accept_days(cls, value: Any) -> Any:
        return [int(str(h).removesuffix("d")) for h in value] if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _in_order(self) -> DatasetWindow:
        if self.end < self.start:
            raise ValueError(f"the window ends ({self.end}) before it starts ({self.start})")
        if not self.horizons or min(self.horizons) < 1 or len(set(self.horizons)) != len(self.horizons):
            raise ValueError(f"horizons must be distinct positive session counts, not {self.horizons}")
        return self


class DatasetFile(Record):
    """One Parquet file, by its path below the manifest's folder."""

    path: str
    sha256: Sha256
    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]


class EventRange(Record):
    """Which part of the event log was read; ``log_position`` is its last sequence number.

    ``bars_off_calendar`` counts daily bars that were left out because their day is no session.
    """

    types: tuple[str, ...]
    count: int
    first: UtcDatetime | None
    last: UtcDatetime | None
    log_position: int
    bars_off_calendar: int = 0


class JoinQuality(Record):
    """How many rows were joined to their execution, by the best key that was there."""

    carried: int = 0
    intent: int = 0
    inferred: int = 0
    none: int = 0


class LabelStats(Record):
    """Labels of one horizon. ``effective_samples`` is the sum of label uniqueness (AFML ch. 4)."""

    labelled: int
    mean: float | None
    std: float | None
    positive_share: float | None
    effective_samples: float


class FeatureProfile(Record):
    """A feature's distribution, enough to measure drift without the rows.

    ``edges`` are the quantile edges of ``len(edges) - 1`` bins (outermost finite, minimum and
    maximum), ``counts`` the finite rows per bin.
    """

    count: int
    missing: int
    mean: float | None
    std: float | None
    minimum: float | None
    maximum: float | None
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class ExpectationResult(Record):
    """One expectation: the total that was found and its bounds; ``success`` is None where it was not evaluated."""

    name: str
    severity: Literal["error", "warning"]
    success: bool | None
    observed: float | None
    low: float | None
    high: float | None


class DatasetValidation(Record):
    """What Great Expectations found, guarded against its ways of passing without looking.

    ``failed`` names the expectations of severity ``error`` that were not met, ``warnings`` those that are reported
    and reject nothing.
    """

    success: bool
    evaluated: int
    expected: int
    failed: tuple[str, ...] = ()
    error: str | None = None
    warnings: tuple[str, ...] = ()
    checks: tuple[ExpectationResult, ...] = ()

    @property
    def summary(self) -> str:
        """How many expectations were met, and the names of those that were not: errors reject, warnings do not."""
        met = self.evaluated - len(self.failed) - len(self.warnings)
        said = [f"{met} of {self.expected} expectations met"]
        said += [f"errors: {', '.join(self.failed)}"] if self.failed else []
        said += [f"warnings: {', '.join(self.warnings)}"] if self.warnings else []
        return "; ".join([*said, *([self.error] if self.error else [])])


class DatasetManifest(Record):
    """The identity of a dataset; ``content_sha256`` covers every value of every row in order.

    ``left_out`` counts the events that could not become a row, by reason.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    dataset_id: str
    version: str
    kind: Literal["signal", "rag_eval"]
    window: DatasetWindow
    files: tuple[DatasetFile, ...]
    content_sha256: Sha256
    columns: dict[str, str]
    feature_names: tuple[str, ...]
    rows: int
    label_stats: dict[str, LabelStats]
    profile: dict[str, FeatureProfile]
    event_range: EventRange
    join_quality: JoinQuality
    query_hash: Sha256
    code_commit: str
    config_hash: Sha256
    suite_hash: Sha256
    validation: DatasetValidation
    created_at: UtcDatetime
    left_out: dict[str, int] = Field(default_factory=dict)

    @property
    def ref(self) -> str:
        """``dataset_id@version``, as the engine returns it."""
        return f"{self.dataset_id}@{self.version}"
