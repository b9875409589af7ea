"""The days on which a prompt pack answered, and the daily checks that they are due."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import pyarrow.compute as pc

from ordinis_learn.drift import MIN_ANSWER_DAYS
from ordinis_learn.records import DriftReport, ModelArtifact, Topic
from ordinis_learn.use_cases.answer_drift import check_answer_drift
from ordinis_learn.workbench import Workbench

__all__ = ["AnswerDue", "check_answers_of", "due_answers"]


@dataclass(frozen=True, kw_only=True)
class AnswerDue:
    """What a pack answered, in whole UTC days that are over, and which of them are to be checked.

    Attributes
    ----------
    answered : tuple of date
        In order. The first :data:`~ordinis_learn.drift.MIN_ANSWER_DAYS` are the reference, for good: one that moved along would call
        a slow decline normal.
    days : tuple of date
        Answered after the last check; for a pack that was never checked the newest alone.
    """

    answered: tuple[date, ...]
    days: tuple[date, ...]

    @property
    def nothing(self) -> str:
        """Why nothing is to be checked, where that is so."""
        missing = MIN_ANSWER_DAYS + 1 - len(self.answered)
        return f"{missing} days of answers are missing" if missing > 0 else "no new day with answers"


def due_answers(bench: Workbench, artifact: ModelArtifact) -> AnswerDue:
    """Compare the days on which a pack answered with the last check."""
    today = bench.clock().astimezone(UTC).date()
    answered = tuple(sorted(set(_days(bench, artifact, before=today))))
    later = answered[MIN_ANSWER_DAYS:]
    last = bench.alerts.last_session(artifact.name, artifact.version)
    days = later[-1:] if last is None else tuple(day for day in later if day > last)
    return AnswerDue(answered=answered, days=days)


def check_answers_of(
    bench: Workbench, artifact: ModelArtifact, due: AnswerDue, *, day: date, seed: int
) -> DriftReport:
    """Check the days up to one of them, ``LEARN_DRIFT_WINDOW_SESSIONS`` at most, against the first ones."""
    reference = due.answered[:MIN_ANSWER_DAYS]
    later = [known for known in due.answered[MIN_ANSWER_DAYS:] if known <= day]
    window = later[-bench.settings.learn_drift_window_sessions :]
    return check_answer_drift(
        bench,
        _pack(artifact),
        reference=(reference[0], reference[-1]),
        start=window[0],
        end=day,
        seed=seed,
        session=day,
    )


def _days(bench: Workbench, artifact: ModelArtifact, *, before: date) -> Iterator[date]:
    pack, end = _pack(artifact), datetime.combine(before, time(), tzinfo=UTC)
    for topic in (Topic.AI_RESPONSE, Topic.AI_REFUSAL):
        told = bench.log.scan(topic, end=end)
        # Only texts that hold the name are read: a year of answers is mostly of other packs.
        told = told.filter(pc.match_substring(told["payload"], json.dumps(pack)))
        for moment, payload in zip(told["ts_event"].to_pylist(), told["payload"].to_pylist(), strict=True):
            told_of = json.loads(payload)
            if pack in {told_of.get("policy_ref"), (told_of.get("output") or {}).get("prompt_pack")}:
                yield moment.astimezone(UTC).date()


def _pack(artifact: ModelArtifact) -> str:
    return f"models:/{artifact.name}/{artifact.version}"
