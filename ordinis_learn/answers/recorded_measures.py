"""The measures of recorded answers with their intervals, and two sources on the same requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers.clusters import clusters_by_document
from ordinis_learn.answers.comparison import compare_answers
from ordinis_learn.answers.measures import MEASURES, measure_answers
from ordinis_learn.answers.outcome import Outcome
from ordinis_learn.answers.recorded import RecordedAnswer, RecordedAnswers
from ordinis_learn.errors import DataMissing
from ordinis_learn.evaluation import percentile_intervals, ratio_interval, share_interval
from ordinis_learn.records import Interval, PairedDifference, Record, UtcDatetime
from ordinis_learn.records.base import NullableFloat

__all__ = [
    "RecordedComparison",
    "RecordedMeasure",
    "RecordedMeasures",
    "compare_recorded",
    "measure_recorded",
    "recorded_clusters",
]

Int1D = npt.NDArray[np.int64]
Counts = npt.NDArray[np.float64]
PairedBy = Literal["request_hash", "correlation_id"]

_LEVEL: Final = 0.95
_GRADED: Final = ("required_recall", "citation_accuracy", "graded_share")
"""Nobody recorded which documents were required."""
_UNKNOWN: Final = Interval(low=np.nan, high=np.nan, level=_LEVEL)
_PERCENTS: Final = {"_p50": 50.0, "_p95": 95.0}


class RecordedMeasure(Record):
    """One measure. ``items`` is what it is a share of (answers or claims); ``quality`` says why it is undefined."""

    value: NullableFloat
    interval: Interval
    items: int
    quality: str = ""


class RecordedMeasures(Record):
    """One source over a span. ``clusters`` are groups of answers that lean on the same documents or the same query."""

    model: str
    prompt_pack: str
    answers: int
    clusters: int
    repeated: int
    without_schema: int
    first: UtcDatetime
    last: UtcDatetime
    measures: dict[str, RecordedMeasure]


class RecordedComparison(Record):
    """Two sources on the same requests; ``quality`` names differences that could not be made, with the reason."""

    subject: str
    baseline: str
    paired_by: PairedBy
    pairs: int
    clusters: int
    differences: dict[str, PairedDifference]
    quality: dict[str, str]


def recorded_clusters(answers: Sequence[RecordedAnswer]) -> Int1D:
    """Return a cluster's number per answer: those with the same best document or the same query share one."""
    linked = [
        one.question
        if one.question.documents or not one.question.variables["query"]
        else one.question.model_copy(update={"required": (f"query {one.question.variables['query']}",)})
        for one in answers
    ]
    return clusters_by_document(linked)


def measure_recorded(recorded: RecordedAnswers, *, seed: int = 7) -> tuple[RecordedMeasures, ...]:
    """Measure every source, in alphabetical order.

    Shares have Korn & Graubard's interval, percentiles one from a bootstrap over clusters, ratios Student's; all at
    95 %, counted in clusters (:mod:`ordinis_learn.evaluation.clustered_intervals`).
    """
    return tuple(
        _measure(
            recorded.of(source),
            seed=seed,
            model=source.model,
            prompt_pack=source.prompt_pack,
            repeated=recorded.repeated.get(source, 0),
        )
        for source in recorded.sources()
    )


def compare_recorded(
    subject: Sequence[RecordedAnswer],
    baseline: Sequence[RecordedAnswer],
    *,
    names: tuple[str, str],
    paired_by: PairedBy = "request_hash",
    seed: int = 7,
) -> RecordedComparison:
    """Compare two sources on the requests that both answered: McNemar for rates, a bootstrap over clusters for coverage.

    Parameters
    ----------
    names : tuple of str
        What subject and baseline are called in the report.
    paired_by : str
        ``request_hash`` pairs two models on one prompt. It covers the messages, so two prompt packs never share one:
        those are paired by ``correlation_id``, the first answer of each.

    Raises
    ------
    DataMissing
        There is no request that both answered.
    """
    pairs = _pairs(subject, baseline, paired_by=paired_by)
    if not pairs:
        raise DataMissing(
            f"compare {names[0]} with {names[1]} on the same requests",
            found=f"none of {len(subject)} and {len(baseline)} answers share a {paired_by}",
            next_step="choose a span in which both answered, or pair prompt packs by correlation_id",
            rows=0,
            required=1,
        )
    clusters = recorded_clusters([one for one, _ in pairs])
    differences, quality = compare_answers(
        [one.outcome for one, _ in pairs], [other.outcome for _, other in pairs], clusters=clusters, seed=seed
    )
    return RecordedComparison(
        subject=names[0],
        baseline=names[1],
        paired_by=paired_by,
        pairs=len(pairs),
        clusters=len(np.unique(clusters)),
        differences=differences,
        quality=quality,
    )


def _pairs(
    subject: Sequence[RecordedAnswer], baseline: Sequence[RecordedAnswer], *, paired_by: PairedBy
) -> list[tuple[RecordedAnswer, RecordedAnswer]]:
    def key(one: RecordedAnswer) -> str:
        return one.request if paired_by == "request_hash" else one.correlation

    sides = []
    for answers in (subject, baseline):
        first: dict[str, RecordedAnswer] = {}
        for one in answers:
            if key(one):
                first.setdefault(key(one), one)
        sides.append(first)
    own, other = sides
    return [(one, other[name]) for name, one in own.items() if name in other]


def _measure(answers: Sequence[RecordedAnswer], *, seed: int, **about: Any) -> RecordedMeasures:
    outcomes, clusters = [one.outcome for one in answers], recorded_clusters(answers)
    found = measure_answers(outcomes)
    measures = {}
    for name in MEASURES:
        if name in _GRADED:
            continue
        interval, items = _interval(name, outcomes, clusters=clusters, seed=seed)
        measures[name] = RecordedMeasure(
            value=found.values[name], interval=interval, items=items, quality=found.quality.get(name, "")
        )
    spoken = [one for one in answers if not one.outcome.refused]
    return RecordedMeasures(
        answers=len(answers),
        clusters=len(np.unique(clusters)),
        without_schema=sum(not one.has_schema for one in spoken),
        first=answers[0].moment,
        last=answers[-1].moment,
        measures=measures,
        **about,
    )


def _interval(name: str, outcomes: Sequence[Outcome], *, clusters: Int1D, seed: int) -> tuple[Interval, int]:
    """Return a measure's interval, and how many answers, claims or citations it is taken over."""
    if name.endswith(tuple(_PERCENTS)):
        of, percent = name[:-4], _PERCENTS[name[-4:]]
        values = np.array([getattr(one.answer, of) for one in outcomes], dtype=np.float64)
        known = np.isfinite(values)
        if not known.any():
            return _UNKNOWN, 0
        found = percentile_intervals(
            values[known], clusters=clusters[known], percents=[percent], seed=seed, level=_LEVEL
        )
        return found[0], int(known.sum())
    parts, wholes = np.array([_counts(name, one) for one in outcomes], dtype=np.float64).T
    interval = ratio_interval if name in ("claims_per_answer", "citations_per_claim") else share_interval
    return interval(parts, wholes, clusters=clusters, level=_LEVEL), int(wholes.sum())


def _counts(name: str, outcome: Outcome) -> tuple[float, float]:
    """Return what one answer adds to a measure's numerator and denominator, as :func:`measure_answers` counts."""
    if name == "refusal_rate":
        return float(outcome.refused), float(not outcome.failed)
    if outcome.refused:
        return 0.0, 0.0
    coverage = outcome.coverage
    return {
        "schema_valid_rate": (float(outcome.valid), 1.0),
        "schema_valid_rate_before_repair": (float(outcome.valid_before_repair), 1.0),
        "citation_coverage": (float(coverage.covered), float(coverage.claims)),
        "citation_precision": (float(coverage.resolved), float(coverage.cited)),
        "citation_surplus": (coverage.surplus, float(coverage.claims)),
        "claims_per_answer": (float(coverage.claims), 1.0),
        "citations_per_claim": (float(coverage.cited), float(coverage.claims)),
    }[name]
