"""Reading one event of the old shape: its fields, its times, and what had to be declared for it."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ordinis_learn.errors import EventInvalid
from ordinis_learn.records.canonical import hash_of

__all__ = ["LegacyEvent", "json_text", "refused"]


def refused(raw: Mapping[str, Any], found: str, next_step: str) -> EventInvalid:
    """Make the error for an event that cannot be adapted."""
    asked = f"adapt event {reprlib.repr(raw.get('event_id'))} of type {raw.get('event_type')!r:.80}"
    return EventInvalid(asked, found=found, next_step=next_step, field="")


class LegacyEvent:
    """One event as it came, with checked access to what every type has.

    ``declared`` collects the names of our fields that the event did not carry.

    Raises
    ------
    EventInvalid
        ``event_type``, ``source`` or ``payload`` is missing or of another kind, or two symbols disagree.
    """

    def __init__(self, raw: Mapping[str, Any], *, naive_utc_sources: frozenset[str], horizon: str) -> None:
        self.raw = raw
        self.default_horizon = horizon
        self.declared: set[str] = set()
        self._naive_utc_sources = naive_utc_sources
        self.event_type: str = self._required(raw, "event_type", str)
        self.source: str = self._required(raw, "source", str)
        self.payload: Mapping[str, Any] = self._required(raw, "payload", dict)
        metadata = raw.get("metadata")
        self.metadata: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
        self.symbol = self._symbol()
        self.event_id = self._event_id()

    def require(self, name: str) -> Any:
        """Return a field of the payload that is there and not null."""
        value = self.payload.get(name)
        if value is None:
            raise refused(
                self.raw, f"payload.{name} is missing", f"add payload.{name}, or leave the event out"
            )
        return value

    def carried(self, name: str) -> Any:
        """Return what the payload, its metadata or the event's metadata says under a name; else None."""
        inner = self.payload.get("metadata")
        for place in (self.payload, inner if isinstance(inner, dict) else {}, self.metadata):
            if place.get(name) is not None:
                return place[name]
        return None

    def carried_or(self, name: str, default: str) -> str:
        """Return a carried text, or the default and note that it was declared."""
        value = self.carried(name)
        if isinstance(value, str) and value:
            return value
        self.declared.add(name)
        return default

    def ambiguous(self, found: str) -> EventInvalid:
        """Make the error for what could mean two things."""
        return refused(
            self.raw, found, "decide what it means at the sender; docs/adapter.md says what is read"
        )

    def moment(self, value: Any, *, field: str) -> datetime:
        """Read a time in ISO 8601; one without an offset is UTC for the declared sources only."""
        try:
            moment = datetime.fromisoformat(value) if len(value) > len("2024-01-02") else None
        except (TypeError, ValueError):
            moment = None
        if moment is None:
            raise refused(
                self.raw,
                f"{field} is {value!r:.80}, not a date with a time in ISO 8601",
                f"write {field} as in 2024-01-02T21:00:00Z",
            )
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        if self.source not in self._naive_utc_sources:
            raise refused(
                self.raw,
                f"{field} is {value!r:.80}, without an offset, and {self.source!r:.80} is not declared to write UTC",
                f"if it does, declare it: --naive-utc {self.source!s:.80}",
            )
        return moment.replace(tzinfo=UTC)

    def payload_moment(self) -> datetime | None:
        """Return the payload's own time, None where it has none."""
        value = self.payload.get("timestamp")
        return None if value is None else self.moment(value, field="payload.timestamp")

    def _required(self, place: Mapping[str, Any], name: str, kind: type) -> Any:
        value = place.get(name)
        if not isinstance(value, kind) or not value:
            found = f"{name} is missing" if value is None else f"{name} is {reprlib.repr(value)}"
            raise refused(self.raw, found, f"give {name}, or leave the event out")
        return value

    def _symbol(self) -> str:
        outer, inner = self.raw.get("symbol"), self.payload.get("symbol")
        if outer is not None and inner is not None and outer != inner:
            raise self.ambiguous(f"symbol is {outer!r:.40} and payload.symbol is {inner!r:.40}")
        symbol = outer if inner is None else inner
        if not isinstance(symbol, str) or not symbol:
            raise refused(self.raw, "there is no symbol", "give symbol or payload.symbol as text")
        return symbol

    def _event_id(self) -> str:
        given = self.raw.get("event_id")
        if given is None:
            self.declared.add("event_id")
            return hash_of({"event": json_text(dict(self.raw))}, domain="ordinis.legacy.event.v1")
        if not isinstance(given, str):
            raise refused(self.raw, f"event_id is {given!r:.80}", "give event_id as text, or leave it out")
        return given


def json_text(values: dict[str, Any]) -> str:
    """Return JSON text that is the same for the same values, whatever their order; EventInvalid without one."""
    try:
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise EventInvalid(
            "adapt an event",
            found=f"it has no JSON form: {error}",
            next_step="use JSON values with finite numbers only",
            field="",
        ) from error
    return text
