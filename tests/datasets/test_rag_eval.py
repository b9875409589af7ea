"""Answers of language models as an evaluation set: which answer, which feedback, and what is left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.capture.validation import validate_event
from ordinis_learn.datasets import RagEvalBuilder, content_sha256, open_dataset
from ordinis_learn.datasets.answers import read_answers
from ordinis_learn.errors import ConfigInvalid, DataMissing, DatasetRejected
from ordinis_learn.records import DatasetWindow, Topic
from ordinis_learn.testing import InMemoryEventLog

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
WINDOW = DatasetWindow(start="2024-05-01", end="2024-05-31")
TAGS = {"instrument_type": "none", "venue": "none", "jurisdiction": "US", "env": "dev"}


def event(topic, payload, *, event_id, at):
    return validate_event(
        {
            "event_id": event_id,
            "event_type": topic,
            "ts_event": at.isoformat(),
            "ts_ingest": at.isoformat(),
            "source": "test",
            "correlation_id": "c",
            "partition_key": "ai",
            "payload": payload,
            "tags": TAGS,
        }
    )


def answer(number, *, at=None, event_id=None, retrieval=None, cited=("d1",), request=None, **change):
    whole = {
        "query": f"What moved S{number}?",
        "index_version": "ix-7",
        "chunks": [
            {"doc_id": "d1", "locator": "a.md#L1-L9", "text": "long", "score": 0.9},
            {"doc_id": "d2", "locator": "b.md#top", "score": 0.4},
        ],
    }
    payload = {
        "model_used": "nemotron",
        "latency_ms": 12.0,
        "request_hash": request or f"req-{number}",
        "output": {"retrieval": whole | (retrieval or {})},
        "citations": [{"doc_id": name, "locator": ""} for name in cited],
    } | change
    return event(
        Topic.AI_RESPONSE,
        payload,
        event_id=event_id or f"answer-{number}",
        at=at or NOON + timedelta(minutes=number),
    )


def feedback(number, grade, *, days=1, grader="ana", relevant=("d2",), event_id=None):
    payload = {
        "request_hash": f"req-{number}",
        "grade": grade,
        "grader": grader,
        "relevant": [{"doc_id": name, "locator": "x"} for name in relevant],
    }
    name = event_id or f"feedback-{number}-{grader}-{days}"
    return event(Topic.AI_FEEDBACK, payload, event_id=name, at=NOON + timedelta(days=days))


def log_of(*events):
    log = InMemoryEventLog(clock=lambda: NOON)
    log.append(list(events))
    return log


def rows(*events, window=WINDOW):
    return read_answers(log_of(*events), window=window).table.to_pylist()


@pytest.fixture
def build_rag(root):
    def run(log, *, window=WINDOW, dataset_id="rag", min_samples=10):
        builder = RagEvalBuilder(
            log, root=root, min_samples=min_samples, code_commit="0" * 40, clock=lambda: NOON
        )
        return builder.build(dataset_id, window)

    return run


def test_a_row_is_what_was_asked_found_and_cited():
    (row,) = rows(answer(1, cited=("d1", "d9")), feedback(1, 0.5), feedback(1, 1.0, grader="bo"))
    assert (row["query_id"], row["query"], row["index_version"]) == ("req-1", "What moved S1?", "ix-7")
    assert json.loads(row["retrieved"]) == [
        {"doc_id": "d1", "locator": "a.md#L1-L9", "score": 0.9},
        {"doc_id": "d2", "locator": "b.md#top", "score": 0.4},
    ]
    assert [document["doc_id"] for document in json.loads(row["cited"])] == ["d1", "d9"]
    assert json.loads(row["relevant"]) == [{"doc_id": "d2", "locator": "x"}]
    assert (row["cited_retrieved_share"], row["grade"], row["graders"]) == (0.5, 0.75, 2)


def test_the_first_answer_to_a_request_counts():
    late = answer(2, request="req-1", at=NOON + timedelta(days=3), retrieval={"query": "another"})
    (row,) = rows(late, answer(1))
    assert (row["query"], row["answers"]) == ("What moved S1?", 2)


def test_a_graders_newest_word_counts_and_only_as_of():
    events = (answer(1), feedback(1, 0.0, days=1), feedback(1, 1.0, days=5, relevant=("d1",)))
    assert [row["grade"] for row in rows(*events)] == [1.0]
    grades = {
        days: rows(*events, window=WINDOW.model_copy(update={"as_of": NOON + timedelta(days=days)}))[0][
            "grade"
        ]
        for days in (0.5, 1, 4, 5)
    }
    assert grades == {0.5: None, 1: 0.0, 4: 0.0, 5: 1.0}


def test_feedback_after_the_window_still_counts():
    (row,) = rows(answer(1), feedback(1, 0.25, days=90))
    assert row["grade"] == 0.25


UNUSABLE = {
    "no_retrieval": {"output": {}},
    "no_query": {"retrieval": {"query": "  "}},
    "no_index_version": {"retrieval": {"index_version": None}},
    "malformed_chunks": {"retrieval": {"chunks": [{"locator": "x"}]}},
    "malformed_citations": {"citations": [{"page": 3}]},
}


def test_what_cannot_be_used_is_counted_by_reason(build_rag):
    events = [answer(n) for n in range(12)]
    events += [answer(number, **change) for number, change in enumerate(UNUSABLE.values(), start=20)]
    events.append(answer(50, request="req-1"))
    manifest = build_rag(log_of(*events))
    reasons = [*UNUSABLE, "duplicate_request"]
    assert manifest.left_out == dict.fromkeys(sorted(reasons), 1)
    assert manifest.rows + sum(manifest.left_out.values()) == len(events)


def test_the_manifest_says_what_it_is(build_rag, root):
    events = [*(answer(n) for n in range(12)), *(feedback(n, n % 2) for n in range(4))]
    manifest = build_rag(log_of(*events))
    assert (manifest.kind, manifest.rows, manifest.feature_names) == ("rag_eval", 12, ())
    stats = manifest.label_stats["grade"]
    assert (stats.labelled, stats.mean, stats.positive_share) == (4, 0.5, 0.5)
    assert (manifest.join_quality.carried, manifest.join_quality.none) == (4, 8)
    assert manifest.event_range.types == ("ordinis.ai.response", "ordinis.ai.feedback")
    assert set(manifest.profile) >= {"grade", "retrieved_count"}
    table = open_dataset(manifest, root=root)
    assert content_sha256(table) == manifest.content_sha256
    assert build_rag(log_of(*events)) == manifest


def test_too_few_answers_are_no_dataset(build_rag, root):
    with pytest.raises(DataMissing) as caught:
        build_rag(log_of(answer(1), answer(2, retrieval={"query": ""})))
    assert caught.value.code == "E_LEARN_DATA_MISSING"
    assert "1 no_query" in caught.value.found
    assert "--kind rag_eval" in caught.value.next_step
    assert not root.exists()


def test_symbols_are_refused(build_rag):
    with pytest.raises(ConfigInvalid):
        build_rag(log_of(answer(1)), window=WINDOW.model_copy(update={"symbols": ("KO",)}))


@pytest.mark.parametrize(
    ("retrieval", "name"),
    [({"chunks": []}, "nothing_retrieved"), ({"query": "the same every time"}, "one_query")],
)
def test_sets_that_measure_nothing_are_refused_by_name(build_rag, retrieval, name):
    with pytest.raises(DatasetRejected) as caught:
        build_rag(log_of(*(answer(n, retrieval=retrieval) for n in range(30))))
    assert caught.value.data["manifest"].validation.failed == (name,)


def test_what_is_odd_is_reported(build_rag):
    events = [answer(n, cited=("d9",), retrieval={"index_version": f"ix-{n % 2}"}) for n in range(12)]
    warned = build_rag(log_of(*events, *(feedback(n, 1.0) for n in range(1)))).validation.warnings
    assert set(warned) == {
        "few_grades",
        "one_class(grade)",
        "cites_what_was_not_retrieved",
        "mixed(index_version)",
    }


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_order_of_arrival_changes_nothing_and_the_future_leaves_the_past(data):
    grades = st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from([0.0, 0.3, 1.0]),
            st.integers(0, 9),
            st.sampled_from(["ana", "bo"]),
        ),
        max_size=8,
        unique_by=lambda one: (one[0], one[2], one[3]),
    )
    events = [answer(n, request=f"req-{n % 3}") for n in range(5)]
    events += [
        feedback(number, grade, days=days, grader=who) for number, grade, days, who in data.draw(grades)
    ]
    moment = NOON + timedelta(days=data.draw(st.integers(0, 9)))
    window = WINDOW.model_copy(update={"as_of": moment})
    shuffled = data.draw(st.permutations(events))
    assert rows(*shuffled) == rows(*events)
    assert rows(*shuffled, window=window) == rows(*[one for one in events if one.ts_event <= moment])
