"""Does picking the best of the versions, or of a search's trials, mean anything out of sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from ordinis_learn.records import ModelArtifact, Scorecard
from ordinis_learn.rollout.rules.base import (
    Context,
    Finding,
    Params,
    Rule,
    blocked,
    failed,
    finite,
    passed,
    unclear,
)
from ordinis_learn.rollout.rules.packs import each_pack
from ordinis_learn.rollout.rules.superiority import statistics_of

__all__ = ["OVERFITTING"]

_CHANCE: Final = 0.5
"""Picking among worthless candidates is overfitted in half of the splits."""


class Overfitting(Params):
    """The largest probability of overfitting, of the choice among versions and, where given, of that among trials.

    The trials of a search that converged are equals, and picking among equals is overfitted in half of the splits: a
    search is not asked for a small probability unless a policy says so. Its trials are counted by the deflated ratio.
    """

    at_most: Annotated[float, Field(gt=0, le=0.5)]
    search_at_most: Annotated[float, Field(gt=0, le=1)] | None = None


def _judge(context: Context, params: Overfitting) -> Finding:
    search = _search_probability(context.evidence.artifact)

    def judge(card: Scorecard) -> Finding:
        statistics = statistics_of(card)
        if isinstance(statistics, Finding):
            return statistics
        known = statistics.overfitting
        probability = None if known is None else finite(known.probability)
        if known is None or probability is None:
            why = card.metric_quality.get("overfitting", "undefined")
            return blocked(
                f"the choice among versions cannot be judged: {why}",
                "evaluate it beside a version that has not seen the pack",
            )
        found = f"{probability:.3f} among versions {', '.join(known.candidates)}"
        found += "" if search is None else f", {search:.3f} among the trials of the search"
        answer = _answer(probability, found=found, at_most=params.at_most)
        if answer.verdict != "pass" or params.search_at_most is None:
            return answer
        if search is None:
            return blocked(f"{found}; the search recorded none", "train it again with a release that does")
        return _answer(search, found=found, at_most=params.search_at_most)

    return each_pack(context, judge)


def _search_probability(artifact: ModelArtifact | None) -> float | None:
    """Return the probability of overfitting that a search recorded with its artifact; None where it holds none."""
    value: Any = None if artifact is None else artifact.to_json().get("search_pbo")
    if isinstance(value, Mapping):
        value = value["probability"]
    if value is None:
        return None
    known = finite(float(value))
    if known is None:
        raise ValueError("the search's probability of overfitting is not a number")
    return known


def _answer(probability: float, *, found: str, at_most: float) -> Finding:
    if probability <= at_most:
        return passed(found)
    if probability >= _CHANCE:
        return failed(found, "picking it is no better than chance: do not promote it")
    return unclear(found, "evaluate over more sessions, or choose among fewer and more different candidates")


OVERFITTING: Rule[Overfitting] = Rule(
    name="overfitting",
    params=Overfitting,
    asked=lambda params: (
        f"probability of overfitting at most {params.at_most:g} among the versions"
        + ("" if params.search_at_most is None else f", {params.search_at_most:g} among the search's trials")
    ),
    judge=_judge,
    source="scorecards: Bailey, Borwein, López de Prado & Zhu (2017)",
)
