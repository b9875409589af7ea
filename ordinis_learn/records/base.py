"""The base of every record: frozen, strict about its fields, with aware UTC times."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from ordinis_learn.records.canonical import canonical_json, hash_of

__all__ = ["Fraction", "NullableFloat", "Record", "Sha256", "UtcDatetime"]


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the moment lies outside the years 1 to 9999 in UTC") from error


def _null_as_nan(value: Any) -> Any:
    return math.nan if value is None else value


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""An aware moment, kept in UTC. A naive one is an error."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in lower-case hex."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share of one, never a percentage."""


NullableFloat = Annotated[float, BeforeValidator(_null_as_nan)]
"""A number that may be undefined: NaN here, null in JSON (an infinity is written as null too)."""


class Record(BaseModel):
    """A value that crosses a boundary; equal content means equal hash."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True, ser_json_inf_nan="null")

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values (times as RFC 3339 strings, NaN as null)."""
        values: dict[str, Any] = json.loads(self.model_dump_json())
        return values

    def canonical(self) -> bytes:
        """Return the record's RFC 8785 bytes."""
        return canonical_json(self.to_json())

    def content_hash(self) -> str:
        """Return the record's hash, in a domain named after its class."""
        return hash_of(self.to_json(), domain=f"ordinis.{type(self).__name__}")
