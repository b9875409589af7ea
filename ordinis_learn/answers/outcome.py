"""One answer to one question, judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ordinis_learn.answers.citations import Coverage, citation_coverage
from ordinis_learn.answers.repair import NOT_JSON, read_answer
from ordinis_learn.answers.schema import OutputSchema
from ordinis_learn.evaluation import RefusalDetector
from ordinis_learn.records import Question

__all__ = ["Answer", "Outcome", "judge_answer"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back for one request.

    ``refusal`` is the reason where the system said that it declines, ``error`` why there is no answer at all. Tokens
    and milliseconds are NaN where nobody counted. ``second_text`` is what the model wrote when it was
    asked once more to correct its output; None where it was not asked.
    """

    text: str = ""
    latency_ms: float = math.nan
    prompt_tokens: float = math.nan
    completion_tokens: float = math.nan
    refusal: str = ""
    error: str = ""
    second_text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The verdict on one answer. An answer that refused or failed is valid in neither sense.

    ``coverage`` counts over the answer as it reads after the repair. Where the question names required documents and the
    answer, without refusing, claims nothing, one uncovered claim is counted: to say nothing is no way
    to a high share.
    """

    item_id: str
    valid_before_repair: bool
    valid: bool
    refused: bool
    failed: bool
    coverage: Coverage
    required: int
    required_cited: int
    answer: Answer
    repairs: tuple[str, ...] = field(default=())

    @property
    def rightly_cited(self) -> tuple[int, int]:
        """How many cited documents hold the answer, and how many are cited; nothing of either where that is not known."""
        if not self.required:
            return 0, 0
        found = self.coverage
        return self.required_cited, len(found.documents) + found.cited - found.resolved


def judge_answer(
    question: Question, answer: Answer, *, prompt: str, schema: OutputSchema | None, detector: RefusalDetector
) -> Outcome:
    """Judge one answer.

    Parameters
    ----------
    prompt : str
        What the model was asked, in words; deflections are found by comparing with it.
    schema : OutputSchema, optional
        Without one any JSON counts as valid.
    """
    read = read_answer(answer.text)
    at_once = _keeps_to(schema, read.before)
    after, repairs = read.after, read.steps
    if not at_once and answer.second_text is not None:
        # One repair, not two: where the model was asked again, its second text is taken as it is.
        after, repairs = read_answer(answer.second_text).before, ("asked_again",)
    well_formed = _keeps_to(schema, after)
    refused = not answer.error and _refuses(
        answer, after, well_formed=well_formed, prompt=prompt, detector=detector
    )
    usable = not refused and not answer.error
    coverage = _coverage(after if well_formed else None, question, counts=not refused)
    return Outcome(
        item_id=question.item_id,
        valid_before_repair=usable and at_once,
        valid=usable and well_formed,
        refused=refused,
        failed=bool(answer.error),
        coverage=coverage,
        required=len(set(question.required)),
        required_cited=len(coverage.documents & set(question.required)),
        answer=answer,
        repairs=repairs if after is not NOT_JSON else (),
    )


def _refuses(
    answer: Answer, value: object, *, well_formed: bool, prompt: str, detector: RefusalDetector
) -> bool:
    """Say whether an answer declines: the system said so, a field says so, or (where it is no output) its words do.

    A refusal need not keep to the output schema. Words inside a well-formed output are its content: "we cannot conclude
    that …" is a finding. JSON that does not keep to the schema is a bad output, and refuses only by words of refusal: brackets
    and field names hardly resemble any question.
    """
    if answer.refusal:
        return True
    if isinstance(value, Mapping) and (value.get("refusal") or value.get("refused") is True):
        return True
    if well_formed:
        return False
    found = detector.judge(prompt=prompt, answer=answer.text)
    return found.refused and (value is NOT_JSON or found.sign != "off_topic")


def _keeps_to(schema: OutputSchema | None, value: object) -> bool:
    return value is not NOT_JSON and (schema is None or schema.accepts(value))


def _coverage(value: object, question: Question, *, counts: bool) -> Coverage:
    found = citation_coverage(value, documents=question.documents)
    if not counts or found.claims or not question.required:
        return found
    return Coverage(claims=1, covered=0, cited=0, resolved=0)
