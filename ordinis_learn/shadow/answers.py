"""Two prompt packs on the same requests: what the active one answered, and what the candidate said to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers import Outcome, measure_answers
from ordinis_learn.evaluation.confidence_sequence import confidence_sequence
from ordinis_learn.evaluation.paired_rates import compare_rates
from ordinis_learn.records import PairedRate, ShadowAnswers

__all__ = ["PairedRequest", "answer_losses", "compare_requests"]

Bool1D = npt.NDArray[np.bool_]
Float1D = npt.NDArray[np.float64]

_ALPHA: Final = 0.05
_MEASURES: Final = (
    "schema_valid_rate",
    "citation_coverage",
    "refusal_rate",
    "latency_ms_p50",
    "latency_ms_p95",
)


@dataclass(frozen=True, kw_only=True)
class PairedRequest:
    """One request of the active pack; ``candidate`` is None where it has no answer to it.

    ``recorded`` tells an answer that the candidate gave at the time from one that was asked for afterwards.
    """

    request: str
    moment: datetime
    active: Outcome
    candidate: Outcome | None
    recorded: bool = False


def compare_requests(requests: Sequence[PairedRequest]) -> ShadowAnswers:
    """Compare over the paired requests, in the order in which they came.

    Validity is compared over the requests that neither side refused, refusals over those that both answered, coverage over those
    on which both claim something, as :func:`~ordinis_learn.answers.compare_answers` does.

    Examples
    --------
    >>> compare_requests([]).paired
    0
    """
    pairs = _pairs(requests)
    spoken = [pair for pair in pairs if not any(one.refused for one in pair)]
    answered = [pair for pair in pairs if not any(one.failed for one in pair)]
    claiming = [pair for pair in pairs if all(one.coverage.claims for one in pair)]
    paired, total = len(pairs), len(requests)
    recorded = sum(one.recorded for one in requests if one.candidate is not None)
    candidate, active = (measure_answers([pair[side] for pair in pairs]).values for side in (0, 1))
    return ShadowAnswers(
        requests=total,
        paired=paired,
        unpaired=total - paired,
        unpaired_rate=(total - paired) / total if total else np.nan,
        recorded=recorded,
        asked=paired - recorded,
        candidate={name: candidate[name] for name in _MEASURES},
        active={name: active[name] for name in _MEASURES},
        differences={
            "schema_valid": _rate(spoken, lambda one: one.valid),
            "refused": _rate(answered, lambda one: one.refused),
            "citation_coverage": _paired_rate(_shares(claiming)),
        },
    )


def answer_losses(requests: Sequence[PairedRequest]) -> Float1D:
    """Return candidate minus active, request by request, in a loss that is 1 for an answer of no use and else 0."""
    pairs = _pairs(requests)
    return np.array([float(active.valid) - float(candidate.valid) for candidate, active in pairs])


def _pairs(requests: Sequence[PairedRequest]) -> list[tuple[Outcome, Outcome]]:
    in_order = sorted(requests, key=lambda one: (one.moment, one.request))
    return [(one.candidate, one.active) for one in in_order if one.candidate is not None]


def _rate(pairs: Sequence[tuple[Outcome, Outcome]], holds: Callable[[Outcome], bool]) -> PairedRate:
    flags = np.array([[holds(one) for one in pair] for pair in pairs], dtype=np.bool_).reshape(-1, 2)
    differences = flags[:, 0].astype(np.float64) - flags[:, 1].astype(np.float64)
    return _paired_rate(differences, flags=flags)


def _shares(pairs: Sequence[tuple[Outcome, Outcome]]) -> Float1D:
    shares = [[one.coverage.covered / one.coverage.claims for one in pair] for pair in pairs]
    both = np.array(shares, dtype=np.float64).reshape(-1, 2)
    difference: Float1D = both[:, 0] - both[:, 1]
    return difference


def _paired_rate(differences: Float1D, *, flags: Bool1D | None = None) -> PairedRate:
    if not len(differences):
        none = np.nan
        return PairedRate(
            pairs=0, difference=none, gained=0, lost=0, p_value=none, low=none, high=none, level=1.0 - _ALPHA
        )
    sequence = confidence_sequence(differences, low=-1.0, high=1.0, alpha=_ALPHA)
    test = None if flags is None else compare_rates(flags[:, 0], flags[:, 1])
    return PairedRate(
        pairs=len(differences),
        difference=float(differences.mean()),
        gained=0 if test is None else test.gained,
        lost=0 if test is None else test.lost,
        p_value=np.nan if test is None else test.p_value,
        low=float(sequence.lower[-1]),
        high=float(sequence.upper[-1]),
        level=1.0 - _ALPHA,
    )
