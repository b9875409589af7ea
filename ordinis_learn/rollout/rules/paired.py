"""Is a measure of answers or rankings no worse than the active version's, by a test and not by its estimate.

A version is not inferior where the whole interval of the paired difference lies above the margin: Piaggio et al. (2012),
*Reporting of noninferiority and equivalence randomized trials*, JAMA 308(24). An estimate alone lets a version that is
worse by the margin through about as often as luck has it, and stops one that is just as good in every second case.

Several measures that must *all* pass need no correction: whoever is worse in one of them is stopped by that one at its
own level (Berger 1982, *Technometrics* 24(4), the intersection-union test). Where *any one* of several is enough, as in
``measures_superior``, they are held to one level together (Holm 1979).
"""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field
from scipy.special import ndtri

from ordinis_learn.evaluation.multiplicity import holm
from ordinis_learn.evaluation.paired_verdicts import ALPHA, RATE_INTERVAL, SHARE_INTERVAL
from ordinis_learn.records import PairedDifference, Scorecard
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

__all__ = ["MEASURES_SUPERIOR", "MEASURE_NOT_INFERIOR", "PAIRED_SOURCE"]

PAIRED_SOURCE: Final = "scorecards: paired tests"
"""Of verdicts whose tests count questions, not sessions."""

_AGAIN: Final = "evaluate the version again, on a pack with enough questions and groups of documents"
_NAME: Final = r"^[A-Za-z0-9_.-]{1,64}$"
_POWER: Final = float(1.0 + ndtri(0.80) / ndtri(1.0 - ALPHA))
"""Half an interval times this is the margin at which a version that is just as good passes in four of five cases."""

Better = Literal["higher", "lower"]


class NotInferior(Params):
    """A measure, which way is better, how much worse still counts as no worse, and how many of the questions must be compared."""

    name: Annotated[str, Field(pattern=_NAME)]
    margin: Annotated[float, Field(gt=0, le=0.2)]
    better: Better = "higher"
    compared_share_at_least: Annotated[float, Field(ge=0, le=1)] = 0.5


class Superior(Params):
    """Measures of which one must be better, and the level to which they are held together."""

    alpha: Annotated[float, Field(gt=0, le=0.1)]
    names: Annotated[tuple[Annotated[str, Field(pattern=_NAME)], ...], Field(min_length=1, strict=False)]


class _Reach(NamedTuple):
    """An interval turned so that more is better."""

    estimate: float
    worst: float
    best: float


def _judge_not_inferior(context: Context, params: NotInferior) -> Finding:
    def judge(card: Scorecard) -> Finding:
        test = _test_of(card, params.name)
        if isinstance(test, Finding):
            return test
        reach = _reach(test, better=params.better)
        if isinstance(reach, Finding):
            return reach
        found = (
            f"{test.estimate:+.3f} [{test.interval.low:+.3f}, {test.interval.high:+.3f}] "
            f"over {test.sessions} of {card.sessions} questions"
        )
        return with_power(
            _place(reach, found, compared=test.sessions / card.sessions, params=params),
            detectable=_POWER * (reach.estimate - reach.worst),
            sessions_missing=None if reach.worst > -params.margin else _missing(test, reach, params.margin),
        )

    return compared_packs(context, judge)


def _test_of(card: Scorecard, name: str) -> PairedDifference | Finding:
    test = card.differences.get(name)
    if test is None:
        why = card.metric_quality.get(f"difference.{name}", "it was not compared")
        return blocked(f"no test of {name}: {why}", _AGAIN)
    if not 0 < test.sessions <= card.sessions:
        return blocked(f"a test of {test.sessions} of {card.sessions} questions", _AGAIN)
    return test


def _reach(test: PairedDifference, *, better: Better) -> _Reach | Finding:
    """Return the interval, or why it cannot be held against a margin."""
    low, high, estimate = (finite(one) for one in (test.interval.low, test.interval.high, test.estimate))
    if low is None or high is None or estimate is None or not low <= estimate <= high:
        return blocked("the difference has no interval", _AGAIN)
    level = finite(test.interval.level)
    if level is None or level < 1.0 - 2.0 * ALPHA or not low < high:
        return blocked(f"its interval has level {level}, {1.0 - 2.0 * ALPHA:g} is asked", _AGAIN)
    if not (RATE_INTERVAL in test.method or test.method.startswith(SHARE_INTERVAL)):
        return blocked(f"an interval whose level is not known against a margin: {test.method}", _AGAIN)
    return (
        _Reach(estimate, low, high) if better == "higher" else _Reach(0.0 - estimate, 0.0 - high, 0.0 - low)
    )


def _place(reach: _Reach, found: str, *, compared: float, params: NotInferior) -> Finding:
    if reach.best < -params.margin:
        return failed(found, f"it is worse by more than {params.margin:g}: do not promote it")
    if compared < params.compared_share_at_least:
        return unclear(
            found,
            f"{params.compared_share_at_least:.0%} of the questions must be compared: see who refuses or claims nothing",
        )
    if reach.worst > -params.margin:
        return passed(found)
    return unclear(found, "evaluate on a pack with more questions, or choose a version that is better")


def _missing(test: PairedDifference, reach: _Reach, margin: float) -> int | None:
    """Return how many questions more show what was seen with 80 % power; None where that lies beyond the margin."""
    room = reach.estimate + margin
    if not room > 0.0:
        return None
    needed = test.sessions * (_POWER * (reach.estimate - reach.worst) / room) ** 2
    return max(math.ceil(needed) - test.sessions, 1)


def _judge_superior(context: Context, params: Superior) -> Finding:
    cards = context.evidence.scorecards
    tests = {
        f"{pack} {name}": test.p_value
        for pack in context.packs
        for name in params.names
        if pack in cards and (test := cards[pack].differences.get(name)) is not None
    }
    adjusted = holm({key: math.nan if finite(p) is None else p for key, p in tests.items()})

    def judge(card: Scorecard) -> Finding:
        own = {name: adjusted.get(f"{card.pack_id} {name}", math.nan) for name in params.names}
        for name in params.names:
            test = _test_of(card, name)
            if isinstance(test, Finding):
                return test
            if finite(test.p_value) is None:
                return blocked(f"{name} could not be tested", _AGAIN)
            if test.verdict == "fail":
                return failed(f"{name} {test.estimate:+.3f}", "it is significantly worse: do not promote it")
        said = f"adjusted p {', '.join(f'{name} {p:.3f}' for name, p in own.items())}"
        if min(own.values()) <= params.alpha:
            return passed(said)
        return unclear(said, "evaluate on a pack with more questions, or choose a version that is better")

    return compared_packs(context, judge)


def _asked(params: NotInferior) -> str:
    worse = "below" if params.better == "higher" else "above"
    return (
        f"{params.name} not {worse} the active version's by {params.margin:g}, shown at 2.5 %, on every pack"
    )


MEASURE_NOT_INFERIOR: Rule[NotInferior] = Rule(
    name="measure_not_inferior",
    params=NotInferior,
    asked=_asked,
    judge=_judge_not_inferior,
    source=PAIRED_SOURCE,
    about="name",
)

MEASURES_SUPERIOR: Rule[Superior] = Rule(
    name="measures_superior",
    params=Superior,
    asked=lambda params: (
        f"one of {', '.join(params.names)} better than the active version's, together at {params.alpha:g}, "
        "and none significantly worse"
    ),
    judge=_judge_superior,
    source="scorecards: paired tests, Holm (1979)",
)
