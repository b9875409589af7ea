"""Two prompt packs over the same questions, by groups of documents: rates by an exact test, citations by a bootstrap."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers.outcome import Outcome
from ordinis_learn.answers.question_scorecard import made_or_told
from ordinis_learn.evaluation import compare_shares, rate_verdict, share_verdict
from ordinis_learn.records import PairedDifference

__all__ = ["compare_answers"]


def compare_answers(
    subject: Sequence[Outcome],
    baseline: Sequence[Outcome],
    *,
    clusters: npt.NDArray[np.int64],
    seed: int,
    draws: int = 10_000,
) -> tuple[dict[str, PairedDifference], dict[str, str]]:
    """Compare judged answers to the same questions, in the same order.

    Validity is compared over the questions that neither side refused, refusals over those that both answered,
    coverage and surplus over those on which both claim something, accuracy over those on which both cite something.

    Returns
    -------
    tuple of dict and dict
        Differences by measure, and for each that could not be made ``difference.<measure>`` with the reason.
    """
    pairs = list(zip(subject, baseline, strict=True))
    made: dict[str, Callable[[], PairedDifference]] = {
        name: functools.partial(_rate, name, pairs, clusters=clusters) for name in _RATES
    }
    for name in _SHARES:
        made[name] = functools.partial(_share, name, pairs, clusters=clusters, seed=seed, draws=draws)
    return made_or_told(made)


_Flag = Callable[[Outcome], bool]
_RATES: Final[Mapping[str, tuple[_Flag, _Flag, Literal["higher", "lower"]]]] = MappingProxyType(
    {
        "schema_valid_rate": (lambda one: one.valid, lambda one: not one.refused, "higher"),
        "schema_valid_rate_before_repair": (
            lambda one: one.valid_before_repair,
            lambda one: not one.refused,
            "higher",
        ),
        "refusal_rate": (lambda one: one.refused, lambda one: not one.failed, "lower"),
    }
)
"""What is counted in an answer, which answers count on both sides, and which way is better."""


def _rate(
    name: str, pairs: Sequence[tuple[Outcome, Outcome]], *, clusters: npt.NDArray[np.int64]
) -> PairedDifference:
    flag, counts, better = _RATES[name]
    kept = np.array([counts(one) and counts(other) for one, other in pairs], dtype=np.bool_)
    flags = np.array([(flag(one), flag(other)) for one, other in pairs], dtype=np.bool_).reshape(-1, 2)[kept]
    return rate_verdict(name, flags[:, 0], flags[:, 1], clusters=clusters[kept], better=better)


_Counts = Callable[[Outcome], tuple[float, float]]
_SHARES: Final[Mapping[str, tuple[_Counts, Literal["higher", "lower"]]]] = MappingProxyType(
    {
        "citation_coverage": (lambda one: (one.coverage.covered, one.coverage.claims), "higher"),
        "citation_surplus": (lambda one: (one.coverage.surplus, one.coverage.claims), "lower"),
        "citation_accuracy": (lambda one: one.rightly_cited, "higher"),
    }
)
"""Each share's numerator and denominator in one answer, and which way is better."""


def _share(
    name: str,
    pairs: Sequence[tuple[Outcome, Outcome]],
    *,
    clusters: npt.NDArray[np.int64],
    seed: int,
    draws: int,
) -> PairedDifference:
    """Compare over the questions on which both sides have something to count."""
    counts, better = _SHARES[name]
    sides = np.array([[counts(one) for one in pair] for pair in pairs], dtype=np.float64).reshape(-1, 2, 2)
    kept = (sides[:, :, 1] > 0.0).all(axis=1)
    found = compare_shares(sides[kept, 0], sides[kept, 1], clusters=clusters[kept], seed=seed, draws=draws)
    return share_verdict(name, found, items=int(kept.sum()), better=better)
