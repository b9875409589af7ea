"""Metrics of the MLflow run behind a version, for models that carry no evidence of ours."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ordinis_learn.rollout.rules.base import Context, Finding, Params, Rule, blocked, failed, finite, passed

__all__ = ["RUN_METRIC", "RunMetric"]


class RunMetric(Params):
    """One metric, and what it must reach by itself or over the incumbent's."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    at_least: float | None = None
    at_most: float | None = None
    over: Literal["absolute", "incumbent"] = "absolute"

    @model_validator(mode="after")
    def _bounded(self) -> RunMetric:
        if self.at_least is None and self.at_most is None:
            raise ValueError(f"say at_least or at_most of {self.name}")
        return self


def _judge(context: Context, params: RunMetric) -> Finding:
    value = finite(context.evidence.run_metrics.get(params.name))
    if value is None:
        return blocked(
            f"the version's run has no {params.name}", f"log {params.name} in the run it was registered from"
        )
    if params.over == "absolute":
        return _compare(value, f"{value:.6g}", params)
    base = finite(context.evidence.incumbent_run_metrics.get(params.name))
    if base is None:
        return blocked(
            f"{value:.6g}, and no {params.name} of an incumbent to compare with",
            "use an absolute limit in first_model, or log the metric in the incumbent's run",
        )
    return _compare(value - base, f"{value:.6g} over {base:.6g}: {value - base:+.6g}", params)


def _compare(value: float, found: str, params: RunMetric) -> Finding:
    low = params.at_least is not None and value < params.at_least
    high = params.at_most is not None and value > params.at_most
    return failed(found, "register a version of a better run") if low or high else passed(found)


def _asked(params: RunMetric) -> str:
    bounds = {"at least": params.at_least, "at most": params.at_most}
    said = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
    return f"{params.name} {'over the incumbent ' if params.over == 'incumbent' else ''}{said}"


RUN_METRIC: Rule[RunMetric] = Rule(
    name="run_metric",
    params=RunMetric,
    asked=_asked,
    judge=_judge,
    source="metrics of the MLflow runs, unsigned",
    about="name",
)
