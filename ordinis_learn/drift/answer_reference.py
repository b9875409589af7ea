"""What recent answers of a language model are compared with: answers of an earlier span, without their texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ordinis_learn.answers import AnswerSource, RecordedAnswer
from ordinis_learn.drift.answer_days import AnswerDays, AnswerVectors, count_answers, embed_answers, latencies
from ordinis_learn.errors import DataMissing
from ordinis_learn.models import Encoder, EncoderSpec

__all__ = ["MIN_ANSWER_DAYS", "AnswerReference", "summarise_answers"]

MIN_ANSWER_DAYS: Final = 20
_SLOW_QUANTILE: Final = 0.95


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswerReference:
    """Answers of one source over a span. It never moves.

    Attributes
    ----------
    source : AnswerSource
    encoder : EncoderSpec
        What made the vectors: what is compared with them must come from the same.
    slow_ms : float
        The 95th percentile of the latencies; infinity where none was recorded.
    counted : AnswerDays
    vectors : AnswerVectors
    """

    source: AnswerSource
    encoder: EncoderSpec
    slow_ms: float
    counted: AnswerDays
    vectors: AnswerVectors


def summarise_answers(
    answers: Sequence[RecordedAnswer], *, source: AnswerSource, encoder: Encoder
) -> AnswerReference:
    """Summarise one source's answers.

    Parameters
    ----------
    answers : sequence of RecordedAnswer
        All of them ``source``'s.

    Raises
    ------
    DataMissing
        They come from fewer than 20 days: that does not show how days differ.
    """
    known = latencies(answers)
    slow_ms = float(np.quantile(known, _SLOW_QUANTILE)) if known.size else np.inf
    days = len({one.moment.date() for one in answers})
    if days < MIN_ANSWER_DAYS:
        raise DataMissing(
            f"summarise the answers of {source.prompt_pack or source.model} as a reference for drift",
            found=f"answers on {days} days; how days differ is known from {MIN_ANSWER_DAYS} on",
            next_step="choose a longer reference span, or check again when there are more answers",
            days=days,
        )
    return AnswerReference(
        source=source,
        encoder=encoder.spec,
        slow_ms=slow_ms,
        counted=count_answers(answers, slow_ms=slow_ms),
        vectors=embed_answers(answers, encoder=encoder),
    )
