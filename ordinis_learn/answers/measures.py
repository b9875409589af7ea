"""Measures over many judged answers. Rates and shares are fractions; what is undefined is NaN, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers.outcome import Outcome
from ordinis_learn.evaluation import MetricSet

__all__ = ["MEASURES", "measure_answers"]

Float1D = npt.NDArray[np.float64]

MEASURES: Final = (
    "schema_valid_rate",
    "schema_valid_rate_before_repair",
    "citation_coverage",
    "citation_precision",
    "citation_accuracy",
    "citation_surplus",
    "required_recall",
    "graded_share",
    "claims_per_answer",
    "citations_per_claim",
    "refusal_rate",
    "latency_ms_p50",
    "latency_ms_p95",
    "prompt_tokens_p50",
    "prompt_tokens_p95",
    "completion_tokens_p50",
    "completion_tokens_p95",
)
"""Names of the measures, in the order of a report."""


def measure_answers(outcomes: Sequence[Outcome]) -> MetricSet:
    """Measure judged answers.

    ``schema_valid_rate`` (after one repair) and ``schema_valid_rate_before_repair`` count over the answers that did not
    refuse, failed requests included: refusing is measured by itself. ``refusal_rate`` counts over the requests that
    were answered at all. ``citation_coverage`` is covered claims over claims of all answers together,
    ``citation_precision`` resolving citations over citations, ``required_recall`` cited required documents over
    required ones in answers that did not refuse. Whoever cites everything for everything shows in ``citation_surplus``, the
    mean over claims of what they cite beyond one document as a share of what they could, and, where it is known which documents
    hold the answer, in ``citation_accuracy``, cited documents that do over cited documents (what does not resolve is one each).
    ``graded_share`` says of how many questions it is known.
    Percentiles interpolate linearly over the answers that were counted.

    Examples
    --------
    >>> measure_answers([]).quality["refusal_rate"]
    'undefined: no answers'
    """
    spoken = [outcome for outcome in outcomes if not outcome.refused]
    answered = [outcome for outcome in outcomes if not outcome.failed]
    claims = sum(outcome.coverage.claims for outcome in spoken)
    values = {
        "schema_valid_rate": _share(sum(o.valid for o in spoken), len(spoken)),
        "schema_valid_rate_before_repair": _share(sum(o.valid_before_repair for o in spoken), len(spoken)),
        "citation_coverage": _share(sum(o.coverage.covered for o in spoken), claims),
        "citation_precision": _share(
            sum(o.coverage.resolved for o in spoken), sum(o.coverage.cited for o in spoken)
        ),
        "citation_accuracy": _share(
            *(sum(column) for column in zip(*(o.rightly_cited for o in spoken), strict=True))
        )
        if spoken
        else np.nan,
        "citation_surplus": _share(sum(o.coverage.surplus for o in spoken), claims),
        "required_recall": _share(sum(o.required_cited for o in spoken), sum(o.required for o in spoken)),
        "graded_share": _share(sum(o.required > 0 for o in outcomes), len(outcomes)),
        "claims_per_answer": _share(claims, len(spoken)),
        "citations_per_claim": _share(sum(o.coverage.cited for o in spoken), claims),
        "refusal_rate": _share(sum(o.refused for o in answered), len(answered)),
    }
    for name in ("latency_ms", "prompt_tokens", "completion_tokens"):
        values |= _percentiles(name, np.array([getattr(o.answer, name) for o in answered], dtype=np.float64))
    return MetricSet(values=values, quality=_quality(values, answers=len(outcomes)))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else np.nan


def _percentiles(name: str, values: Float1D) -> dict[str, float]:
    known = values[np.isfinite(values)]
    half, most = np.percentile(known, [50, 95]) if known.size else (np.nan, np.nan)
    return {f"{name}_p50": float(half), f"{name}_p95": float(most)}


def _quality(values: dict[str, float], *, answers: int) -> dict[str, str]:
    reasons = {
        "citation_coverage": "no claims",
        "citation_precision": "no citations",
        "citation_accuracy": "no citations where the documents that hold the answer are known",
        "citation_surplus": "no claims",
        "citations_per_claim": "no claims",
        "required_recall": "no required documents",
        "graded_share": "no questions",
        "refusal_rate": "no answers",
    }
    nothing = "no answers" if not answers else ""
    return {
        name: f"undefined: {nothing or reasons.get(name, 'not recorded' if '_p' in name else 'all refused')}"
        for name, value in values.items()
        if np.isnan(value)
    }
