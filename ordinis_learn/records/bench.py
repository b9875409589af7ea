"""Benchmark packs: fixed windows of a fixed price history, by which models are compared."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Literal

from ordinis_learn.records.base import Record, Sha256

__all__ = ["BenchPackManifest", "BenchWindow", "Regime"]


class Regime(StrEnum):
    """What the index did over a window; several may hold, MIXED where none does."""

    BULL = "BULL"
    BEAR = "BEAR"
    SIDEWAYS = "SIDEWAYS"
    VOL_SPIKE = "VOL_SPIKE"
    MIXED = "MIXED"


class BenchWindow(Record):
    """One stretch of sessions, both ends included; ``stress`` names the catalogue entry, if any."""

    window_id: str
    start: date
    end: date
    months: int
    regimes: tuple[Regime, ...]
    stress: str | None = None


class BenchPackManifest(Record):
    """The specification's fields, the windows, and the hashes that pin both code and data."""

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
