"""The scorecard of a prompt pack: what the gate's ``prompt_pack`` rules read.

The record is the one of all models. In it ``sessions`` counts questions and ``windows`` clusters of documents; costs and
Sharpe ratios do not apply (0 and None), ``purged_windows`` names questions that the examples were tuned on, and ``error_rate`` is the share of questions that got no answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from ordinis_learn.answers.clusters import clusters_by_document
from ordinis_learn.answers.comparison import compare_answers
from ordinis_learn.answers.measures import measure_answers
from ordinis_learn.answers.outcome import Outcome
from ordinis_learn.answers.question_pack import QuestionPack
from ordinis_learn.answers.question_scorecard import question_scorecard
from ordinis_learn.ports import Clock
from ordinis_learn.records import ModelArtifact, ModelRef, PairedDifference, Scorecard

__all__ = ["answer_scorecard"]


def answer_scorecard(
    subject: Sequence[Outcome],
    baseline: Sequence[Outcome] | None,
    *,
    pack: QuestionPack,
    subject_ref: ModelRef,
    baseline_ref: ModelRef | None,
    artifact: ModelArtifact,
    seed: int,
    clock: Clock,
    code_commit: str,
    earlier_trials: int = 0,
    tuned_on: tuple[str, ...] = (),
) -> Scorecard:
    """Write the scorecard of judged answers, in the order of the pack's items.

    Parameters
    ----------
    baseline, baseline_ref : optional
        The incumbent's answers to the same items, and what it is; None for a first model.
    tuned_on : tuple of str
        Ids of the pack's items that were left out because the subject's examples were tuned on them.
    """
    clusters = clusters_by_document(pack.items)
    own, other = measure_answers(subject), measure_answers(baseline) if baseline is not None else None
    differences: dict[str, PairedDifference] = {}
    quality = dict(own.quality)
    if baseline is not None and other is not None:
        differences, undecided = compare_answers(subject, baseline, clusters=clusters, seed=seed)
        quality |= undecided | {f"baseline.{name}": reason for name, reason in other.quality.items()}
    failed = sum(outcome.failed for outcome in subject)
    return question_scorecard(
        pack,
        clusters=clusters,
        artifact=artifact,
        earlier_trials=earlier_trials,
        clock=clock,
        subject=subject_ref,
        baseline=baseline_ref,
        metrics=own.nullable(),
        baseline_metrics=other.nullable() if other else {},
        differences=differences,
        purged_windows=tuned_on,
        errors=failed,
        error_rate=failed / len(pack.items),
        baseline_error_rate=None
        if baseline is None
        else sum(outcome.failed for outcome in baseline) / len(pack.items),
        metric_quality=quality,
        code_commit=code_commit,
        seed=seed,
    )
