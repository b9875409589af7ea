"""Is the version better than the active one beyond luck, by tests whose level is known to hold on data like these.

Both rules read the tests that a scorecard's statistics hold; a card without statistics cannot be judged by them.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

from pydantic import Field

from ordinis_learn.evaluation.multiplicity import holm
from ordinis_learn.records import PairedDifference, Scorecard, ScorecardStatistics
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
    with_power,
)
from ordinis_learn.rollout.rules.packs import compared_packs

__all__ = ["SHARPE_SUPERIOR", "SUPERIORITY_FAMILY", "statistics_of"]

_AGAIN: Final = "evaluate the version again; docs/evaluation.md says when a statistic is undefined"
_MORE: Final = "evaluate over more sessions, or train a candidate with a larger edge"


class Superiority(Params):
    """The level of the test, and how often its interval must have held the truth in the calibration."""

    alpha: Annotated[float, Field(gt=0, le=0.1)]
    coverage_at_least: Annotated[float, Field(gt=0.5, lt=1)]


class Family(Params):
    """The tests that are held to one level together."""

    alpha: Annotated[float, Field(gt=0, le=0.1)]
    tests: Annotated[
        tuple[Literal["sharpe", "deflated_sharpe", "max_drawdown"], ...], Field(min_length=2, strict=False)
    ]


def statistics_of(card: Scorecard) -> ScorecardStatistics | Finding:
    """Return a card's statistics, or that it has none."""
    return card.statistics or blocked("the scorecard has no statistics", "evaluate the version again")


def _judge_superiority(context: Context, params: Superiority) -> Finding:
    def judge(card: Scorecard) -> Finding:
        statistics, test = statistics_of(card), card.differences.get("sharpe")
        if isinstance(statistics, Finding):
            return statistics
        if test is None:
            return blocked("no test of the Sharpe difference", _AGAIN)
        if why := _unusable(test, alpha=params.alpha):
            return blocked(why, _AGAIN)
        if test.draws == 0:
            return unclear("the same strategy as the active version, up to scale", _MORE)
        coverage = finite(statistics.block_coverage.get(str(test.block_length)))
        if coverage is None:
            return blocked(
                f"the block length {test.block_length} was not chosen by calibration",
                "evaluate with --calibrations 100 or more",
            )
        return _compare(test, coverage=coverage, params=params)

    return compared_packs(context, judge)


def _unusable(test: PairedDifference, *, alpha: float) -> str:
    """Return why a test cannot be read, empty when it can."""
    numbers = (test.estimate, test.interval.low, test.interval.high, test.null, test.p_value, test.alpha)
    if any(finite(number) is None for number in numbers):
        return "the test is undefined"
    if test.null < 0 or test.alpha > alpha:
        return f"tested against {test.null:g} at {test.alpha:g}"
    return ""


def _compare(test: PairedDifference, *, coverage: float, params: Superiority) -> Finding:
    found = (
        f"{test.estimate:+.3f} [{test.interval.low:+.3f}, {test.interval.high:+.3f}], p {test.p_value:.3f}, "
        f"{test.sessions} sessions in blocks of {test.block_length}, which covered {coverage:.2f}"
    )
    detectable = finite(test.minimum_detectable)
    if test.verdict == "fail":
        return with_power(
            failed(found, "it is significantly worse: do not promote it"), detectable=detectable
        )
    if coverage < params.coverage_at_least:
        return with_power(
            unclear(found, "no block length keeps its level here: use packs with more sessions"),
            detectable=detectable,
        )
    if test.verdict == "pass" and test.p_value <= test.alpha and test.estimate > test.null:
        return with_power(passed(found), detectable=detectable)
    return with_power(unclear(found, _MORE), detectable=detectable, sessions_missing=_missing(test))


def _missing(test: PairedDifference) -> int | None:
    """Return how many sessions more the estimate takes: for 80 % power, and for its own interval to clear the null."""
    excess = test.estimate - test.null
    if not excess > 0:
        return None
    wide = test.sessions * ((test.estimate - test.interval.low) / excess) ** 2
    return max(math.ceil(max(finite(test.sessions_needed) or 0.0, wide)) - test.sessions, 1)


def _judge_family(context: Context, params: Family) -> Finding:
    found = {pack: card.statistics for pack, card in context.evidence.scorecards.items()}
    family = {
        f"{pack} {name}": statistics.p_values.get(name, math.nan)
        for pack in context.packs
        if (statistics := found.get(pack)) is not None
        for name in params.tests
    }
    adjusted = holm(family)

    def judge(card: Scorecard) -> Finding:
        statistics = statistics_of(card)
        if isinstance(statistics, Finding):
            return statistics
        own = {name: f"{card.pack_id} {name}" for name in params.tests}
        missing = [name for name, key in own.items() if finite(family[key]) is None]
        if missing:
            return blocked(f"{', '.join(missing)} could not be tested", _AGAIN)
        said = f"adjusted p {', '.join(f'{name} {adjusted[key]:.3f}' for name, key in own.items())}"
        if all(adjusted[key] <= params.alpha for key in own.values()):
            return passed(said)
        return unclear(said, _MORE)

    return compared_packs(context, judge)


SHARPE_SUPERIOR: Rule[Superiority] = Rule(
    name="sharpe_superior",
    params=Superiority,
    asked=lambda params: (
        f"Sharpe difference above zero, one-sided alpha at most {params.alpha:g}, by blocks calibrated to "
        f"cover {params.coverage_at_least:g} or more"
    ),
    judge=_judge_superiority,
    source="scorecards: Ledoit & Wolf (2008), block length by algorithm 3.1",
)

SUPERIORITY_FAMILY: Rule[Family] = Rule(
    name="superiority_family",
    params=Family,
    asked=lambda params: f"{', '.join(params.tests)} on all packs significant together at {params.alpha:g}",
    judge=_judge_family,
    source="scorecards: Holm (1979)",
)
