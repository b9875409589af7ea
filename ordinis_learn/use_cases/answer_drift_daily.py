"""The days on which a prompt pack answered, and the daily checks that they are due."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import pyarrow.compute as pc

from ordinis_learn.drift import MIN_ANSWER_DAYS, is_of_answers
from ordinis_learn.drift.whole_file import read_whole, write_whole
from ordinis_learn.errors import DataCorrupt
from ordinis_learn.records import DriftReport, ModelArtifact, Topic, hash_of
from ordinis_learn.use_cases.answer_drift import check_answer_drift
from ordinis_learn.use_cases.daily_plan import DailyPlan
from ordinis_learn.workbench import Workbench

__all__ = ["AnswerDue", "due_answers", "plan_answers"]


@dataclass(frozen=True, kw_only=True)
class AnswerDue:
    """What a pack answered, in whole UTC days that are over, and which of them are to be checked.

    Attributes
    ----------
    answered : int
        On how many days.
    reference : two dates, optional
        The first :data:`~ordinis_learn.drift.MIN_ANSWER_DAYS` days, from the first to the last of them, for good: one that moved along
        would call a slow decline normal. None while there are fewer.
    later : tuple of date
        The days after the reference, in order.
    days : tuple of date
        Answered after the last check; for a pack that was never checked the newest alone.
    """

    answered: int
    reference: tuple[date, date] | None
    later: tuple[date, ...]
    days: tuple[date, ...]

    @property
    def nothing(self) -> str:
        """Why nothing is to be checked, where that is so."""
        missing = MIN_ANSWER_DAYS + 1 - self.answered
        return f"{missing} days of answers are missing" if missing > 0 else "no new day with answers"


def due_answers(bench: Workbench, artifact: ModelArtifact) -> AnswerDue:
    """Compare the days on which a pack answered with the last check."""
    today = bench.clock().astimezone(UTC).date()
    answered = tuple(sorted(set(_days(bench, artifact, before=today))))
    reference = _reference(bench, artifact, answered)
    later = tuple(day for day in answered if reference is not None and day > reference[1])
    last = bench.alerts.last_session(artifact.name, artifact.version)
    days = later[-1:] if last is None else tuple(day for day in later if day > last)
    return AnswerDue(answered=len(answered), reference=reference, later=later, days=days)


def plan_answers(bench: Workbench, artifact: ModelArtifact, *, seed: int) -> DailyPlan:
    """Plan the days that a prompt pack answered on since its last check."""
    due = due_answers(bench, artifact)
    return DailyPlan(
        sessions=due.days,
        check=lambda day: _check(bench, artifact, due, day=day, seed=seed),
        nothing=due.nothing,
    )


def _check(bench: Workbench, artifact: ModelArtifact, due: AnswerDue, *, day: date, seed: int) -> DriftReport:
    """Check the days up to one of them, ``LEARN_DRIFT_WINDOW_SESSIONS`` at most, against the first ones."""
    later = [known for known in due.later if known <= day]
    window = later[-bench.settings.learn_drift_window_sessions :]
    if due.reference is None:
        raise ValueError(f"{day} is checked against a reference that there is not")
    return check_answer_drift(
        bench,
        _pack(artifact),
        reference=due.reference,
        start=window[0],
        end=day,
        seed=seed,
        session=day,
    )


def _reference(
    bench: Workbench, artifact: ModelArtifact, answered: tuple[date, ...]
) -> tuple[date, date] | None:
    """Return the span that a pack's answers are compared with, chosen once and kept.

    An event that comes late, or answers that leave the log, would move one that was chosen anew each day. A pack that was checked
    before the span was kept goes on with that of its last check.
    """
    marked = hash_of([artifact.name, artifact.version], domain="ordinis.drift.answer_days.v1")[:32]
    path = bench.settings.drift_dir / "references" / f"answer-days-{marked}.json"
    asked = f"read the reference days {path}"
    content = read_whole(path, asked=asked)
    if content is not None:
        return _span(content, path=path, asked=asked)
    checks = bench.alerts.checks(artifact.name, artifact.version, newest=1)
    if checks and is_of_answers(checks[-1]):
        told = checks[-1].dataset_ref.split()
        first, last = date.fromisoformat(told[1]), date.fromisoformat(told[3])
    elif len(answered) > MIN_ANSWER_DAYS:
        first, last = answered[0], answered[MIN_ANSWER_DAYS - 1]
    else:
        return None
    kept = json.dumps(
        {"model": artifact.name, "version": artifact.version, "first": f"{first}", "last": f"{last}"}
    )
    write_whole(path, kept.encode(), asked=f"keep the reference days {path}")
    return first, last


def _span(content: bytes, *, path: Path, asked: str) -> tuple[date, date]:
    try:
        told = json.loads(content)
        return date.fromisoformat(told["first"]), date.fromisoformat(told["last"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataCorrupt(
            asked,
            found=f"{type(error).__name__}: {error}",
            next_step=f"restore {path}, or remove it: the next check goes on with the reference of the last one",
        ) from error


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
