"""Answers of language models as rows of a retrieval evaluation set.

One row per ``request_hash``, which covers model, messages, options and what was referred to. The *first* answer
counts, by (``ts_event``, ``event_id``): a later one is a replay and does not rewrite what was known. Feedback counts
while it is not younger than the window's ``as_of``: each grader's newest word, the grade is the mean over graders,
the relevant documents are the union.

An answer without a query, without retrieved documents or without the version of its index cannot be judged; it is
left out and counted by reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.ports import EventLog
from ordinis_learn.records import DatasetWindow, EventRange, Topic, canonical_json, hash_of

__all__ = ["ANSWER_RULES", "ANSWER_SCHEMA", "Answers", "read_answers"]

ANSWER_RULES: Final = hash_of("ordinis.dataset.rag_eval.v1", domain="ordinis.dataset.queries")
"""Stands for the rules of this module in a manifest's ``query_hash``; changes when they do."""
_TOPICS: Final = (Topic.AI_RESPONSE, Topic.AI_FEEDBACK)
_MOMENT: Final = pa.timestamp("us", tz="UTC")

ANSWER_SCHEMA: Final = pa.schema(
    {
        "query_id": pa.string(),
        "query": pa.string(),
        "index_version": pa.string(),
        "model_used": pa.string(),
        "ts_response": _MOMENT,
        "retrieved": pa.string(),
        "cited": pa.string(),
        "relevant": pa.string(),
        "retrieved_count": pa.int32(),
        "cited_count": pa.int32(),
        "cited_retrieved_share": pa.float64(),
        "relevant_count": pa.int32(),
        "grade": pa.float64(),
        "graders": pa.int32(),
        "graded_at": _MOMENT,
        "answers": pa.int32(),
    }
)
"""Columns of a ``rag_eval`` dataset.

``retrieved`` (best first), ``cited`` (as cited) and ``relevant`` (sorted) are JSON arrays of ``{doc_id, locator}``, the first
with ``score``. ``cited_retrieved_share`` is the share of citations that point at a retrieved document, null without
citations; ``grade`` and ``graded_at`` are null and ``relevant`` is ``[]`` without feedback.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """The rows, ordered by (ts_response, query_id), what was left out by reason, and the events read."""

    table: pa.Table
    left_out: dict[str, int]
    event_range: EventRange


def read_answers(log: EventLog, *, window: DatasetWindow) -> Answers:
    """Read a window's answers and what was known of them at ``window.as_of``.

    Parameters
    ----------
    log : EventLog
        Read up to its position at the start of the call.
    window : DatasetWindow
        ``start`` and ``end`` are days of ``ts_event`` in UTC, inclusive. Horizons and symbols are not looked at.
    """
    position = log.position()
    start = datetime.combine(window.start, time(), tzinfo=UTC)
    end = datetime.combine(window.end + timedelta(days=1), time(), tzinfo=UTC)
    known_until = None if window.as_of is None else window.as_of + timedelta(microseconds=1)
    if known_until is not None:
        end = min(end, known_until)
    answers = log.scan(Topic.AI_RESPONSE, start=start, end=end, until_position=position)
    feedback = log.scan(Topic.AI_FEEDBACK, start=start, end=known_until, until_position=position)
    rows, left_out = _rows(answers, _verdicts(feedback))
    return Answers(
        table=pa.Table.from_pylist(rows, schema=ANSWER_SCHEMA).combine_chunks(),
        left_out=left_out,
        event_range=_event_range((answers, feedback), position),
    )


def _rows(answers: pa.Table, verdicts: Mapping[str, Sequence[_Verdict]]) -> tuple[list[Any], dict[str, int]]:
    rows: dict[str, dict[str, Any]] = {}
    left_out: Counter[str] = Counter()
    for event in answers.select(["ts_event", "payload"]).to_pylist():
        payload = json.loads(event["payload"])
        reason, retrieval = _retrieval(payload)
        request = payload["request_hash"]
        if reason:
            left_out[reason] += 1
        elif request in rows:
            left_out["duplicate_request"] += 1
            rows[request]["answers"] += 1
        else:
            given = [one for one in verdicts.get(request, ()) if one.at >= event["ts_event"]]
            rows[request] = _row(payload, retrieval, at=event["ts_event"], verdicts=given)
    ordered = sorted(rows.values(), key=lambda row: (row["ts_response"], row["query_id"]))
    return ordered, dict(sorted(left_out.items()))


def _retrieval(payload: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return what the index returned, or in the first place why it cannot be used."""
    retrieval = payload.get("output", {}).get("retrieval")
    if not isinstance(retrieval, dict):
        return "no_retrieval", {}
    query, chunks = retrieval.get("query"), retrieval.get("chunks")
    if not isinstance(query, str) or not query.strip():
        return "no_query", {}
    version = retrieval.get("index_version")
    if not isinstance(version, str) or not version:
        return "no_index_version", {}
    if not isinstance(chunks, list) or not all(map(_is_document, chunks)):
        return "malformed_chunks", {}
    if not all(map(_is_document, payload.get("citations", ()))):
        return "malformed_citations", {}
    return "", retrieval


def _row(
    payload: Mapping[str, Any],
    retrieval: Mapping[str, Any],
    *,
    at: datetime,
    verdicts: Sequence[_Verdict],
) -> dict[str, Any]:
    chunks, citations = retrieval["chunks"], payload.get("citations", ())
    there = {chunk["doc_id"] for chunk in chunks}
    relevant = sorted({_key(document) for verdict in verdicts for document in verdict.relevant})
    return {
        "query_id": payload["request_hash"],
        "query": retrieval["query"],
        "index_version": retrieval["index_version"],
        "model_used": payload["model_used"],
        "ts_response": at,
        "retrieved": _text({**_document(chunk), "score": _score(chunk)} for chunk in chunks),
        "cited": _text(map(_document, citations)),
        "relevant": _text({"doc_id": doc_id, "locator": locator} for doc_id, locator in relevant),
        "retrieved_count": len(chunks),
        "cited_count": len(citations),
        "cited_retrieved_share": _share(citation["doc_id"] in there for citation in citations),
        "relevant_count": len(relevant),
        "grade": _share(verdict.grade for verdict in verdicts),
        "graders": len(verdicts),
        "graded_at": max((verdict.at for verdict in verdicts), default=None),
        "answers": 1,
    }


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    grade: float
    relevant: Sequence[Mapping[str, Any]]
    at: datetime


def _verdicts(feedback: pa.Table) -> dict[str, list[_Verdict]]:
    """Return each grader's newest word per request, graders in order of their names."""
    newest: dict[tuple[str, str], _Verdict] = {}
    for event in feedback.select(["ts_event", "payload"]).to_pylist():  # oldest first
        payload = json.loads(event["payload"])
        relevant = [document for document in payload.get("relevant", ()) if _is_document(document)]
        verdict = _Verdict(grade=payload["grade"], relevant=relevant, at=event["ts_event"])
        newest[payload["request_hash"], payload["grader"]] = verdict
    by_request: dict[str, list[_Verdict]] = {}
    for (request, _), verdict in sorted(newest.items()):
        by_request.setdefault(request, []).append(verdict)
    return by_request


def _is_document(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("doc_id"), str) or not value["doc_id"]:
        return False
    return isinstance(value.get("locator", ""), str)


def _key(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["doc_id"], document.get("locator", "")


def _document(value: Mapping[str, Any]) -> dict[str, Any]:
    doc_id, locator = _key(value)
    return {"doc_id": doc_id, "locator": locator}


def _score(chunk: Mapping[str, Any]) -> float | None:
    score = chunk.get("score")
    return float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None


def _text(documents: Iterable[Mapping[str, Any]]) -> str:
    return canonical_json(list(documents)).decode()


def _share(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None


def _event_range(events: Sequence[pa.Table], position: int) -> EventRange:
    spans = [pc.min_max(table["ts_event"]).as_py() for table in events if table.num_rows]
    return EventRange(
        types=tuple(topic.value for topic in _TOPICS),
        count=sum(table.num_rows for table in events),
        first=min((span["min"] for span in spans), default=None),
        last=max((span["max"] for span in spans), default=None),
        log_position=position,
    )
