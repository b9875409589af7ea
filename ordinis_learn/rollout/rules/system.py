"""How the runs behind the scorecards went: what was quarantined, how long an answer took."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from ordinis_learn.records import Scorecard
from ordinis_learn.rollout.rules.base import (
    Context,
    Finding,
    NoParams,
    Params,
    Rule,
    blocked,
    failed,
    finite,
    passed,
)
from ordinis_learn.rollout.rules.packs import compared_packs, each_pack
from ordinis_learn.rollout.rules.superiority import statistics_of

__all__ = ["LATENCY", "QUARANTINE_NOT_HIGHER"]

_AGAIN: Final = "evaluate the version again"


class Latency(Params):
    """The longest that 95 of 100 answers about one session may take, in milliseconds."""

    p95_ms_at_most: Annotated[float, Field(gt=0)]


def _judge_quarantine(context: Context, _params: NoParams) -> Finding:
    def judge(card: Scorecard) -> Finding:
        rates = _figures(card, "quarantine_rate", "baseline_quarantine_rate")
        if isinstance(rates, Finding):
            return rates
        found = f"{rates[0]:.4f} against {rates[1]:.4f}"
        if rates[0] <= rates[1]:
            return passed(found)
        return failed(found, "find which of its answers cannot be used, then evaluate again")

    return compared_packs(context, judge)


def _judge_latency(context: Context, params: Latency) -> Finding:
    def judge(card: Scorecard) -> Finding:
        times = _figures(card, "latency_ms_p50", "latency_ms_p95")
        if isinstance(times, Finding):
            return times
        found = f"median {times[0]:.2f} ms, 95th percentile {times[1]:.2f} ms"
        if times[1] <= params.p95_ms_at_most:
            return passed(found)
        return failed(found, "make the model smaller, or evaluate where nothing else runs")

    return each_pack(context, judge)


def _figures(card: Scorecard, *names: str) -> list[float] | Finding:
    statistics = statistics_of(card)
    if isinstance(statistics, Finding):
        return statistics
    found = {name: finite(statistics.system.get(name)) for name in names}
    known = [value for value in found.values() if value is not None]
    if len(known) < len(names):
        missing = ", ".join(name for name, value in found.items() if value is None)
        return blocked(f"not measured: {missing}", _AGAIN)
    return known


QUARANTINE_NOT_HIGHER = Rule(
    name="quarantine_rate_not_higher",
    params=NoParams,
    asked=lambda _: "quarantine rate not higher than the active version's",
    judge=_judge_quarantine,
    source="scorecards: statistics.system",
)

LATENCY: Rule[Latency] = Rule(
    name="latency",
    params=Latency,
    asked=lambda params: f"95 of 100 answers about a session within {params.p95_ms_at_most:g} ms",
    judge=_judge_latency,
    source="scorecards: statistics.system",
)
