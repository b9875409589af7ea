"""What a rule is: it asks for something, looks at the evidence, and says what it found.

A rule never raises on purpose. What cannot be judged (missing, undefined, about something else) is
``not_evaluable``, and only ``pass`` passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from ordinis_learn.errors import GateFailed, LearnError
from ordinis_learn.records import Actor, RuleVerdict, State
from ordinis_learn.rollout.evidence import Evidence

__all__ = [
    "CLOCK_SKEW",
    "JUDGE_ERRORS",
    "Context",
    "Finding",
    "NoParams",
    "Params",
    "Rule",
    "blocked",
    "failed",
    "finite",
    "passed",
    "unclear",
    "with_power",
]

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far in the future a record may have been made, for machines whose clocks differ."""

JUDGE_ERRORS: Final = (LearnError, ArithmeticError, LookupError, ValueError, TypeError)
"""What a rule may stumble over; each closes the gate."""

VerdictWord = Literal["pass", "fail", "inconclusive", "not_evaluable"]


class Params(BaseModel):
    """The parameters of a rule; strict, so that a text is not taken for a number."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )


class NoParams(Params):
    """The rule has nothing to set."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a rule may look at. ``packs`` are those the policy requires."""

    evidence: Evidence
    evidence_hash: str
    packs: tuple[str, ...]
    to_state: State
    requester: Actor
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of a rule before it carries its name; of a test also what it could show and what it lacks."""

    verdict: VerdictWord
    found: str
    next_step: str = ""
    detectable: float | None = None
    sessions_missing: int | None = None


P = TypeVar("P", bound=Params)


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[P]):
    """A named rule of the policy language.

    Attributes
    ----------
    name : str
        As written in a policy.
    params : type[Params]
        What may be set, with bounds.
    asked : Callable
        Says what the parameters ask for.
    judge : Callable
        The rule itself; pure.
    source : str
        Where the numbers come from.
    code : str
        The reason code when it does not pass.
    about : str
        The parameter that tells several uses of the rule in one policy apart; empty for a rule used once.
    """

    def label(self, params: Mapping[str, Any]) -> str:
        """Return the name of one use of the rule, e.g. ``run_metric:val_auc``."""
        return f"{self.name}:{params[self.about]}" if self.about in params else self.name

    name: str
    params: type[P]
    asked: Callable[[P], str]
    judge: Callable[[Context, P], Finding]
    source: str
    code: str = field(default=GateFailed.code)
    about: str = ""

    def verdict(self, context: Context, params: Mapping[str, Any] = MappingProxyType({})) -> RuleVerdict:
        """Judge, and turn anything that goes wrong into ``not_evaluable``."""
        asked = "the rule's parameters can be read"
        try:
            read = self.params.model_validate(dict(params))
            asked = self.asked(read)
            finding = self.judge(context, read)
        except JUDGE_ERRORS as error:
            finding = blocked(
                f"the rule could not be evaluated: {type(error).__name__}: {error}",
                "report this with the policy and the evidence; the gate stays closed",
            )
        return RuleVerdict(
            rule=self.label(params),
            verdict=finding.verdict,
            code="" if finding.verdict == "pass" else self.code,
            asked=asked,
            found=finding.found,
            source=self.source,
            next_step=finding.next_step,
            detectable=finding.detectable,
            sessions_missing=finding.sessions_missing,
        )


def passed(found: str) -> Finding:
    """Return a pass."""
    return Finding(verdict="pass", found=found)


def failed(found: str, next_step: str) -> Finding:
    """Return a fail: the numbers are there and say no."""
    return Finding(verdict="fail", found=found, next_step=next_step)


def unclear(found: str, next_step: str) -> Finding:
    """Return inconclusive: the numbers are there and do not suffice."""
    return Finding(verdict="inconclusive", found=found, next_step=next_step)


def with_power(finding: Finding, *, detectable: float | None, sessions_missing: int | None = None) -> Finding:
    """Return a finding with what its test could show and how many sessions more it takes."""
    return replace(finding, detectable=detectable, sessions_missing=sessions_missing)


def blocked(found: str, next_step: str) -> Finding:
    """Return not_evaluable: there is nothing to judge by."""
    return Finding(verdict="not_evaluable", found=found, next_step=next_step)


def finite(value: float | None) -> float | None:
    """Return the number, or None where it is undefined.

    Zero has no sign: what is recorded as JSON has none, and the decision is made again from that.

    Examples
    --------
    >>> finite(1.5), finite(-0.0), finite(float("nan")), finite(None)
    (1.5, 0.0, None, None)
    """
    return value + 0.0 if value is not None and math.isfinite(value) else None
