"""Several candidates judged together: what picking the best of them is worth."""

from __future__ import annotations

from typing import Literal

from ordinis_learn.records.base import NullableFloat, Record, Sha256, UtcDatetime
from ordinis_learn.records.scorecard import ModelRef, PairedDifference
from ordinis_learn.records.statistics import OverfittingFigures

__all__ = ["Competition", "Contender"]


class Contender(Record):
    """One candidate on the sessions that all of them are judged on.

    ``difference`` is its Sharpe ratio minus the benchmark's; None, with the reason in ``quality``, where that is
    undefined. ``p_value`` is the difference's, or against cash that of a Sharpe ratio above zero (2012 form);
    ``adjusted_p_value`` is Holm's over the candidates. ``better`` is the answer of the stepwise test.
    """

    subject: ModelRef
    sharpe: NullableFloat
    difference: PairedDifference | None
    p_value: NullableFloat
    adjusted_p_value: NullableFloat
    better: bool
    quality: str


class Competition(Record):
    """Candidates against one benchmark on one pack, on sessions that no candidate's training has touched.

    ``benchmark`` None means cash. The three p-values are of the test of superior predictive ability (Hansen
    2005) on returns scaled to equal volatility: ``consistent`` is the one to read, ``lower`` and ``upper`` bound
    it. ``overfitting`` is None, with the reason in ``quality``, where it is undefined.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    name: str
    benchmark: ModelRef | None
    pack_id: str
    pack_hash: Sha256
    sessions: int
    purged_windows: tuple[str, ...]
    contenders: tuple[Contender, ...]
    p_lower: NullableFloat
    p_consistent: NullableFloat
    p_upper: NullableFloat
    overfitting: OverfittingFigures | None
    alpha: float
    block_length: int
    draws: int
    method: str
    quality: dict[str, str]
    seed: int
    code_commit: str
    created_at: UtcDatetime
