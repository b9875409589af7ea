"""Benchmark packs: fixed windows of a fixed price history, by which models are compared."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from ordinis_learn.records.base import Record, Sha256

__all__ = ["BenchPackManifest", "BenchWindow", "Regime", "TradingLimits"]


class Regime(StrEnum):
    """What the index did over a window; several may hold, MIXED where none does."""

    BULL = "BULL"
    BEAR = "BEAR"
    SIDEWAYS = "SIDEWAYS"
    VOL_SPIKE = "VOL_SPIKE"
    MIXED = "MIXED"


class TradingLimits(Record):
    """What a backtest may hold, and what being short costs.

    ``max_gross`` and ``max_position`` are the largest sum of absolute weights and the largest weight of one symbol, as fractions
    of equity. Without ``shorts`` a short call is traded as flat. ``borrow_bps`` is the yearly fee on what is short, in
    basis points, charged session by session (1/252 each).
    """

    max_gross: Annotated[float, Field(gt=0, le=10)] = 1.0
    max_position: Annotated[float, Field(gt=0, le=10)] = 1.0
    shorts: bool = True
    borrow_bps: Annotated[float, Field(ge=0, le=10_000)] = 0.0


class BenchWindow(Record):
    """One stretch of sessions, both ends included; ``stress`` names the catalogue entry, if any."""

    window_id: str
    start: date
    end: date
    months: int
    regimes: tuple[Regime, ...]
    stress: str | None = None


class BenchPackManifest(Record):
    """The specification's fields, the windows, and the hashes that pin both code and data.

    ``dropped_symbols`` were asked for and left out, each with its reason; it is not in the JSON where there are none, so
    that packs made before it keep their hash.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    generator_version: str
    pack_id: str
    universe: tuple[str, ...]
    start: date
    end: date
    timeframe: str
    regimes: tuple[Regime, ...]
    seed: int
    data_refs: dict[str, str]
    data_sha256: Sha256
    windows: tuple[BenchWindow, ...]
    manifest_hash: Sha256
    dropped_symbols: dict[str, str] = Field(default_factory=dict, exclude_if=lambda value: not value)
