"""Any metric of the scorecards, by itself or over the baseline's: what embed models and prompt packs are judged by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ordinis_learn.records import Scorecard
from ordinis_learn.rollout.rules.base import Context, Finding, Params, Rule, blocked, failed, passed
from ordinis_learn.rollout.rules.packs import baseline_metric, compared_packs, each_pack, subject_metric

__all__ = ["SCORECARD_METRIC", "ScorecardMetric"]


class ScorecardMetric(Params):
    """One metric, and what it must reach on every pack."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    at_least: float | None = None
    at_most: float | None = None
    over: Literal["absolute", "baseline"] = "absolute"

    @model_validator(mode="after")
    def _bounded(self) -> ScorecardMetric:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"say at_least or at_most of {self.name}")
        return self


def _judge(context: Context, params: ScorecardMetric) -> Finding:
    def judge(card: Scorecard) -> Finding:
        value = subject_metric(card, params.name)
        base = 0.0 if params.over == "absolute" else baseline_metric(card, params.name)
        if value is None or base is None:
            whose = "version's" if value is None else "baseline's"
            return blocked(f"the {whose} {params.name} is undefined", "evaluate the version again")
        low = params.at_least is not None and value - base < params.at_least
        high = params.at_most is not None and value - base > params.at_most
        found = f"{value:.6g}" if params.over == "absolute" else f"{value:.6g} against {base:.6g}"
        return (
            failed(found, f"choose a version with a better {params.name}") if low or high else passed(found)
        )

    return each_pack(context, judge) if params.over == "absolute" else compared_packs(context, judge)


def _asked(params: ScorecardMetric) -> str:
    bounds = {"at least": params.at_least, "at most": params.at_most}
    said = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
    return f"{params.name} {'over the baseline ' if params.over == 'baseline' else ''}{said}, on every pack"


SCORECARD_METRIC: Rule[ScorecardMetric] = Rule(
    name="scorecard_metric",
    params=ScorecardMetric,
    asked=_asked,
    judge=_judge,
    source="scorecards: metrics",
    about="name",
)
