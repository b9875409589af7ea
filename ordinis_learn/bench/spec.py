"""What a benchmark pack is drawn from: windows, span, universe, and how strict to be about gaps."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from ordinis_learn.records import Record

__all__ = ["PackSpec"]


class PackSpec(Record):
    """What to draw.

    ``months`` are spread evenly over ``windows`` windows. ``end`` is the last session (None: the newest).
    ``strict`` refuses a history that is too short or has holes; without it the span starts where the
    history allows, and a missing close means no trade in that cell. ``universe`` are the symbols asked for (None: all
    captured). ``strictness`` says what happens to one that was not captured, or has holes that are not tolerated:
    ``fail`` refuses the pack, ``drop`` makes it of the others and records why. The last two are left out of the JSON
    where they are as they always were, so that a spec keeps its hash.
    """

    pack_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")] = "bench_core_v1"
    seed: Annotated[int, Field(ge=0)] = 7
    months: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (3, 6, 9, 12)
    years_lookback: Annotated[int, Field(ge=1)] = 15
    windows: Annotated[int, Field(ge=1)] = 50
    include_stress: bool = True
    end: date | None = None
    strict: bool = True
    universe: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...] | None,
        Field(min_length=1, exclude_if=lambda value: value is None),
    ] = None
    strictness: Annotated[Literal["fail", "drop"], Field(exclude_if=lambda value: value == "fail")] = "fail"
