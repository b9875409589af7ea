"""The drift check of a language model's answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import numpy as np

from ordinis_learn.answers import RecordedAnswer
from ordinis_learn.drift.answer_days import SHARES, AnswerDays, AnswerVectors, count_answers, embed_answers
from ordinis_learn.drift.answer_reference import AnswerReference
from ordinis_learn.drift.judging import judge
from ordinis_learn.drift.measurement import Judgement, Measured
from ordinis_learn.drift.share_rise import measure_share_rise
from ordinis_learn.drift.text_shift import measure_text_shift
from ordinis_learn.models import Encoder
from ordinis_learn.ports import Clock
from ordinis_learn.records import DriftReport

__all__ = ["DependenceUnit", "check_answers", "is_of_answers"]

DependenceUnit = Literal["session", "document"]
"""What is taken to move together: the answers of a stretch of days, or those that lean on the same documents."""

_DRAWS: Final = 1999
_REFERENCE: Final = "answers "


def is_of_answers(report: DriftReport) -> bool:
    """Tell whether a report is about a language model's answers; the others are about a signal model's rows."""
    return report.dataset_ref.startswith(_REFERENCE)


def check_answers(
    reference: AnswerReference,
    answers: Sequence[RecordedAnswer],
    *,
    encoder: Encoder,
    name: str,
    version: str,
    unit: DependenceUnit = "session",
    psi_floor: float,
    alpha: float,
    seed: int,
    clock: Clock,
) -> DriftReport:
    """Compare recent answers with the reference: four shares and where the texts lie.

    The shares are of refusals, broken outputs, uncovered claims and slow answers. Their fall is no drift. A shift of the
    texts has no better and worse. Findings are judged together, as in :func:`ordinis_learn.drift.check_drift`; which encoder the
    texts were compared by is in the finding's feature.

    Parameters
    ----------
    answers : sequence of RecordedAnswer
        At least one, all of the reference's source.
    encoder : Encoder
        That of the reference.
    name, version : str
        What the report is about: a prompt pack's, or a model's.
    unit : str
        See :data:`DependenceUnit`.
    """
    judgement = Judgement(draws=_DRAWS, seed=seed, alpha=alpha, psi_floor=psi_floor)
    now = count_answers(answers, slow_ms=reference.slow_ms)
    measured = _shares(reference.counted, now, judgement=judgement)
    measured += _texts(reference, embed_answers(answers, encoder=encoder), unit=unit, judgement=judgement)
    findings = judge(measured, alpha=alpha)
    before = reference.counted.days
    return DriftReport(
        model=name,
        version=version,
        dataset_ref=f"{_REFERENCE}{before[0]} to {before[-1]}",
        start=_midnight(now.days[0]),
        end=_midnight(now.days[-1]),
        reference_rows=reference.counted.answers,
        current_rows=now.answers,
        alpha=alpha,
        findings=findings,
        breached=any(finding.severity in {"warning", "critical"} for finding in findings),
        created_at=clock(),
    )


def _shares(before: AnswerDays, now: AnswerDays, *, judgement: Judgement) -> list[Measured]:
    measured = [
        measure_share_rise(
            "answers", metric, before=before.counts[:, k], now=now.counts[:, k], judgement=judgement
        )
        for k, metric in enumerate(SHARES)
    ]
    return [each for each in measured if each is not None]


def _texts(
    reference: AnswerReference, now: AnswerVectors, *, unit: DependenceUnit, judgement: Judgement
) -> list[Measured]:
    """Measure the shift of the texts; nothing where there are too few units to tell."""
    before = reference.vectors
    by_document = unit == "document"
    shift = measure_text_shift(
        f"text_{reference.encoder.kind}",
        before,
        now,
        days=len(reference.counted.days),
        units=(before.document, now.document) if by_document else None,
        judgement=judgement,
    )
    return [] if shift is None else [shift]


def _midnight(day: np.datetime64) -> datetime:
    return datetime.fromisoformat(str(day)).replace(tzinfo=UTC)
