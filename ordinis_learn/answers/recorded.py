"""What production recorded of its language models, judged: ``ordinis.ai.response`` and ``ordinis.ai.refusal`` events.

No question pack is needed. An answer belongs to a *source*: the model that gave it and, where the event says so, the prompt
pack that asked. A response names its pack in ``output["prompt_pack"]`` as MLflow does, ``models:/cortex/3``, and
its task in ``output["task"]``; a refusal names the pack in ``policy_ref``.

Per source the *first* answer to a ``request_hash`` counts, by (``ts_event``, ``event_id``): a later one is a replay. A
refusal of a request that also has a response makes that answer a refused one. One without a response belongs to the
pack of its ``policy_ref``, else to the only source that answered within its ``correlation_id``; else nobody knows whose it is, and it is
counted as unattributed.

What is judged is ``text`` where it holds a brace, else ``output`` without what is only about the answer, else
``text``. What the answer could cite is what the event says was retrieved. An answer without ``claims`` counts as one claim
that cites what the event cites; one without a recorded retrieval has no claims, for nobody knows what it was given.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa

from ordinis_learn.answers.citations import Coverage, citation_coverage
from ordinis_learn.answers.outcome import Answer, Outcome, judge_answer
from ordinis_learn.answers.schema import OutputSchema
from ordinis_learn.evaluation import RefusalDetector
from ordinis_learn.records import Question, QuestionDocument

__all__ = ["AnswerSource", "RecordedAnswer", "RecordedAnswers", "SchemaLookup", "read_recorded"]

_ABOUT: Final = frozenset({"prompt_pack", "retrieval", "task"})
_COLUMNS: Final = ["event_id", "ts_event", "correlation_id", "payload"]
_LONGEST_NAME: Final = 256
_WITHOUT_SIMILARITY: Final = RefusalDetector()

SchemaLookup = Callable[[str, str], OutputSchema | None]
"""From a prompt pack (``models:/…``) and a task to the output schema, None where it is not known."""


class AnswerSource(NamedTuple):
    """Who answered: a model, and the prompt pack that asked (empty where the event names none)."""

    model: str
    prompt_pack: str


@dataclass(frozen=True, kw_only=True)
class RecordedAnswer:
    """One judged answer of production; ``has_schema`` says whether its output schema was known."""

    source: AnswerSource
    request: str
    correlation: str
    moment: datetime
    question: Question
    outcome: Outcome
    has_schema: bool


@dataclass(frozen=True, kw_only=True)
class RecordedAnswers:
    """Judged answers, oldest first, and what was set aside: replays by source, refusals that nobody can be charged with."""

    answers: tuple[RecordedAnswer, ...]
    repeated: Mapping[AnswerSource, int]
    unattributed_refusals: int

    def of(self, source: AnswerSource) -> tuple[RecordedAnswer, ...]:
        """Return one source's answers."""
        return tuple(one for one in self.answers if one.source == source)

    def sources(self) -> tuple[AnswerSource, ...]:
        """Return who answered, in alphabetical order."""
        return tuple(sorted({one.source for one in self.answers}))


def read_recorded(
    responses: pa.Table,
    refusals: pa.Table,
    *,
    schema_of: SchemaLookup | None = None,
    detector: RefusalDetector | None = None,
) -> RecordedAnswers:
    """Judge recorded answers.

    Parameters
    ----------
    responses, refusals : pa.Table
        Events of the two streams as :meth:`ordinis_learn.ports.EventLog.scan` returns them: at least ``event_id``,
        ``ts_event``, ``correlation_id`` and ``payload``, oldest first.
    schema_of : callable, optional
        Without one, or where it knows no schema, any JSON object counts as valid and ``has_schema`` is false.
    detector : RefusalDetector, optional
        Default: patterns only. Where the event tells no query, patterns judge alone in any case: there is nothing to
        compare the answer with.
    """
    events = [_event(row) for row in responses.select(_COLUMNS).to_pylist()]
    declined = [_event(row) for row in refusals.select(_COLUMNS).to_pylist()]
    answered, repeated = _first_answers(events)
    refused, alone, unattributed = _attribute(declined, answered)
    judge = _Judge(schema_of or _no_schema, detector or _WITHOUT_SIMILARITY)
    found = [judge.response(event, refusal=refused.get(key, "")) for key, event in answered.items()]
    found += [judge.refusal(source, event) for source, event in alone]
    found.sort(key=lambda one: (one.moment, one.source, one.request))
    return RecordedAnswers(answers=tuple(found), repeated=repeated, unattributed_refusals=unattributed)


class _Event(NamedTuple):
    event_id: str
    moment: datetime
    correlation: str
    payload: Mapping[str, Any]


_Key = tuple[AnswerSource, str]


def _event(row: Mapping[str, Any]) -> _Event:
    return _Event(row["event_id"], row["ts_event"], row["correlation_id"] or "", json.loads(row["payload"]))


def _source(payload: Mapping[str, Any]) -> AnswerSource:
    return AnswerSource(payload["model_used"], _text(payload.get("output", {}).get("prompt_pack")))


def _first_answers(events: Sequence[_Event]) -> tuple[dict[_Key, _Event], Mapping[AnswerSource, int]]:
    answered: dict[_Key, _Event] = {}
    repeated: Counter[AnswerSource] = Counter()
    for event in sorted(events, key=lambda one: (one.moment, one.event_id)):
        source = _source(event.payload)
        if answered.setdefault((source, event.payload["request_hash"]), event) is not event:
            repeated[source] += 1
    return answered, dict(repeated)


def _attribute(
    declined: Sequence[_Event], answered: Mapping[_Key, _Event]
) -> tuple[dict[_Key, str], list[tuple[AnswerSource, _Event]], int]:
    """Return the reasons of refused responses, refusals without a response with their source, and the rest's number."""
    by_request, by_pack, by_correlation = _sources_by(answered)
    refused: dict[_Key, str] = {}
    alone: dict[_Key, _Event] = {}
    unattributed = 0
    for event in sorted(declined, key=lambda one: (one.moment, one.event_id)):
        request = event.payload.get("request_hash") or event.event_id
        pack = _text(event.payload.get("policy_ref"))
        named = {one for one in by_request[request] if pack in ("", one.prompt_pack)}
        for source in named:
            refused.setdefault((source, request), event.payload["refusal_reason"])
        if named:
            continue
        whose = _only(by_pack[pack] if pack in by_pack else by_correlation[event.correlation])
        if whose is None and pack.startswith("models:/"):
            whose = AnswerSource("", pack)
        if whose is None:
            unattributed += 1
        else:
            alone.setdefault((whose, request), event)
    return refused, [(source, event) for (source, _), event in alone.items()], unattributed


def _sources_by(answered: Mapping[_Key, _Event]) -> tuple[dict[str, set[AnswerSource]], ...]:
    by_request: dict[str, set[AnswerSource]] = defaultdict(set)
    by_pack: dict[str, set[AnswerSource]] = {}
    by_correlation: dict[str, set[AnswerSource]] = defaultdict(set)
    for (source, request), event in answered.items():
        by_request[request].add(source)
        by_correlation[event.correlation].add(source)
        if source.prompt_pack:
            by_pack.setdefault(source.prompt_pack, set()).add(source)
    return by_request, by_pack, by_correlation


def _only(sources: set[AnswerSource]) -> AnswerSource | None:
    return next(iter(sources)) if len(sources) == 1 else None


class _Judge:
    def __init__(self, schema_of: SchemaLookup, detector: RefusalDetector) -> None:
        self._schema_of = schema_of
        self._detector = detector

    def response(self, event: _Event, *, refusal: str) -> RecordedAnswer:
        payload, source = event.payload, _source(event.payload)
        output: Mapping[str, Any] = payload.get("output", {})
        question = _question(payload)
        query = str(question.variables["query"])
        schema = self._schema_of(source.prompt_pack, question.task)
        outcome = judge_answer(
            question,
            Answer(
                text=_judged_text(payload.get("text") or "", output),
                latency_ms=float(payload["latency_ms"]),
                refusal=refusal,
                prompt_tokens=_tokens(payload, "prompt_tokens", "input_tokens"),
                completion_tokens=_tokens(payload, "completion_tokens", "output_tokens"),
            ),
            prompt=query,
            schema=schema or _ANY_OBJECT,
            detector=self._detector if query else _WITHOUT_SIMILARITY,
        )
        return RecordedAnswer(
            source=source,
            request=payload["request_hash"],
            correlation=event.correlation,
            moment=event.moment,
            question=question,
            outcome=replace(outcome, coverage=_coverage(outcome, payload, question)),
            has_schema=schema is not None,
        )

    def refusal(self, source: AnswerSource, event: _Event) -> RecordedAnswer:
        request = event.payload.get("request_hash") or event.event_id
        question = Question(item_id=request, task="refused", variables={"query": ""})
        answer = Answer(refusal=event.payload["refusal_reason"])
        return RecordedAnswer(
            source=source,
            request=request,
            correlation=event.correlation,
            moment=event.moment,
            question=question,
            outcome=judge_answer(
                question, answer, prompt="", schema=_ANY_OBJECT, detector=_WITHOUT_SIMILARITY
            ),
            has_schema=False,
        )


_ANY_OBJECT: Final = OutputSchema({"type": "object"})


def _no_schema(prompt_pack: str, task: str) -> None:
    del prompt_pack, task


def _question(payload: Mapping[str, Any]) -> Question:
    output = payload.get("output", {})
    retrieval = output.get("retrieval")
    retrieval = retrieval if isinstance(retrieval, Mapping) else {}
    chunks = retrieval.get("chunks")
    return Question(
        item_id=payload["request_hash"],
        task=_name(output.get("task")) or "unnamed",
        variables={"query": _text(retrieval.get("query"))},
        documents=tuple(
            QuestionDocument(doc_id=one["doc_id"], locator=_text(one.get("locator")))
            for one in (chunks if isinstance(chunks, list) else ())
            if isinstance(one, Mapping) and _name(one.get("doc_id"))
        ),
    )


def _judged_text(text: str, output: Mapping[str, Any]) -> str:
    structured = {name: value for name, value in output.items() if name not in _ABOUT}
    if "{" in text or not structured:
        return text
    try:
        # Not canonical: what production says may hold what no canonical JSON can, and is judged all the same.
        return json.dumps(structured)
    except RecursionError:
        return text


def _coverage(outcome: Outcome, payload: Mapping[str, Any], question: Question) -> Coverage:
    """Return the claims of an answer, or the whole answer as one claim that cites what the event cites."""
    if outcome.refused or not question.documents:
        return Coverage(claims=0, covered=0, cited=0, resolved=0)
    if outcome.coverage.claims:
        return outcome.coverage
    whole = {"text": "the answer", "citations": list(payload.get("citations", ()))}
    return citation_coverage({"claims": [whole]}, documents=question.documents)


def _tokens(payload: Mapping[str, Any], *keys: str) -> float:
    """Return a count under the first of its names that the event uses, NaN where nobody counted."""
    usage: Mapping[str, int] = payload.get("token_usage", {})
    return next((float(usage[key]) for key in keys if key in usage), math.nan)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _name(value: Any) -> str:
    """Return a name that a question can hold; events promise nothing about what is inside ``output``."""
    text = _text(value)
    return text if len(text) <= _LONGEST_NAME and "\x00" not in text else ""
