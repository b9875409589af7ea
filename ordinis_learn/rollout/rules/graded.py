"""Is it known of enough questions which documents hold their answer.

Where it is not, one supplied document cited at random for each claim cannot be told from a good citation: coverage and
surplus are then what they are for anybody who cites something, and say nothing about citing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ordinis_learn.records import Scorecard
from ordinis_learn.rollout.rules.base import Context, Finding, Params, Rule, blocked, passed
from ordinis_learn.rollout.rules.packs import each_pack, subject_metric

__all__ = ["QUESTIONS_GRADED"]


class Graded(Params):
    """The least share of a pack's questions that name the documents holding their answer."""

    share_at_least: Annotated[float, Field(gt=0, le=1)]


def _judge(context: Context, params: Graded) -> Finding:
    def judge(card: Scorecard) -> Finding:
        share = subject_metric(card, "graded_share")
        if share is None:
            return blocked(
                "it does not say how many of its questions name their documents", "evaluate the version again"
            )
        found = f"{share:.1%} of its questions name the documents that hold their answer"
        if share < params.share_at_least:
            return blocked(
                found,
                "what is cited cannot be judged: draw a pack of answers with graded feedback, and evaluate on it",
            )
        return passed(found)

    return each_pack(context, judge)


QUESTIONS_GRADED: Rule[Graded] = Rule(
    name="questions_graded",
    params=Graded,
    asked=lambda params: f"{params.share_at_least:.0%} of every pack's questions name their documents",
    judge=_judge,
    source="scorecards: metrics",
)
