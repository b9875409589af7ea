"""What the daily drift job does for one version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from ordinis_learn.records import DriftReport

__all__ = ["DailyPlan"]


def _nothing_more() -> None:
    """Do nothing: who asks a language model nothing for a day has lost nothing."""


@dataclass(frozen=True, kw_only=True)
class DailyPlan:
    """The sessions of a version to check, how, why there may be none, and what is looked at when all went well."""

    sessions: tuple[date, ...]
    check: Callable[[date], DriftReport]
    nothing: str
    afterwards: Callable[[], None] = _nothing_more
