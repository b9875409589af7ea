"""Answers that production recorded: whose they are, what counts, how sure the measures are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.answers import OutputSchema, compare_recorded, measure_recorded, read_recorded
from ordinis_learn.errors import DataMissing
from ordinis_learn.evaluation import percentile_intervals, ratio_interval, share_interval
from ordinis_learn.records import Envelope, Topic
from ordinis_learn.testing import InMemoryEventLog

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TAGS = {"instrument_type": "equity", "venue": "XNAS", "jurisdiction": "US", "env": "prod"}
CLAIMS = OutputSchema({"type": "object", "required": ["claims"]})


def event(number, topic, payload, *, correlation=None):
    return Envelope(
        event_id=f"e{number:06d}",
        event_type=topic.value,
        schema_version="1.0.0",
        ts_event=NOON + timedelta(seconds=number),
        ts_ingest=NOON + timedelta(seconds=number),
        source="cortex",
        trace_id="t",
        span_id="s",
        correlation_id=correlation or f"c{number}",
        partition_key="ACME",
        payload=payload,
        tags=TAGS,
    )


def response(number, *, request=None, pack="models:/cortex/1", model="m", valid=True, cites=True, **more):
    doc_id = f"d{number % 40}"
    claims = [{"text": "Margin rose.", "citations": [{"doc_id": doc_id if cites else "made up"}]}]
    retrieval = {"query": f"why {number}?", "index_version": "1", "chunks": [{"doc_id": doc_id}]}
    payload = {
        "model_used": model,
        "latency_ms": 100.0 + number % 50,
        "token_usage": {"prompt_tokens": 10, "output_tokens": 5},
        "text": json.dumps({"claims": claims}) if valid else "Margins rose a lot in that {quarter.",
        "output": {"prompt_pack": pack, "task": "synthesize", "retrieval": retrieval},
        "request_hash": request or f"r{number}",
    }
    return event(number, Topic.AI_RESPONSE, payload, **more)


def refusal(number, *, request=None, policy=None, **more):
    payload = {"refusal_reason": "no advice", "policy_ref": policy, "request_hash": request}
    return event(number, Topic.AI_REFUSAL, payload, **more)


def read(events):
    log = InMemoryEventLog(clock=lambda: NOON)
    log.append(events)
    return read_recorded(
        log.scan(Topic.AI_RESPONSE), log.scan(Topic.AI_REFUSAL), schema_of=lambda _pack, _task: CLAIMS
    )


def test_measures_of_a_source_with_intervals_and_counts():
    events = [response(number, valid=number % 10 != 0, cites=number % 4 != 0) for number in range(200)]
    events += [response(300, request="r7"), refusal(301, request="r5")]
    (found,) = measure_recorded(read(events))
    values = {name: one.value for name, one in found.measures.items()}
    assert (found.model, found.prompt_pack, found.answers, found.repeated) == (
        "m",
        "models:/cortex/1",
        200,
        1,
    )
    assert found.clusters == 40
    assert values["refusal_rate"] == 1 / 200
    assert values["schema_valid_rate"] == pytest.approx(179 / 199)
    # an answer that is no output claims itself, and cites nothing
    assert values["citation_coverage"] == pytest.approx(
        sum(n % 10 != 0 and n % 4 != 0 and n != 5 for n in range(200)) / 199
    )
    assert values["completion_tokens_p50"] == 5
    for name, one in found.measures.items():
        assert one.interval.low <= one.value <= one.interval.high, name
        assert one.items > 0
    assert "required_recall" not in found.measures


def test_a_refusal_without_a_response_is_charged_to_its_pack_else_to_who_spoke_beside_it_else_to_nobody():
    events = [
        response(1),
        response(2, pack="models:/cortex/2", correlation="beside"),
        refusal(3, policy="models:/cortex/1", request="asked"),
        refusal(4, policy="models:/cortex/1", request="asked"),
        refusal(5, correlation="beside"),
        refusal(6, policy="house rules"),
        refusal(7, policy="models:/cortex/9"),
    ]
    found = read(events)
    rates = {
        one.prompt_pack: (one.answers, one.measures["refusal_rate"].value) for one in measure_recorded(found)
    }
    assert rates == {
        "models:/cortex/1": (2, 0.5),
        "models:/cortex/2": (2, 0.5),
        "models:/cortex/9": (1, 1.0),
    }
    assert found.unattributed_refusals == 1


def test_two_models_are_paired_by_request_and_two_packs_by_correlation():
    events = [response(number, model="old", request=f"r{number}") for number in range(200)]
    events += [
        response(200 + number, model="new", request=f"r{number}", valid=number % 5 != 0)
        for number in range(199, -1, -1)
    ]
    events += [
        response(500 + number, pack="models:/cortex/2", correlation=f"c{number}", cites=number % 2 == 0)
        for number in range(100)
    ]
    found = read(events)
    new, old, second = (
        found.of(source)
        for source in (("new", "models:/cortex/1"), ("old", "models:/cortex/1"), ("m", "models:/cortex/2"))
    )
    models = compare_recorded(new, old, names=("new", "old"))
    difference = models.differences["schema_valid_rate"]
    assert (models.pairs, difference.estimate, difference.verdict) == (200, -0.2, "fail")
    packs = compare_recorded(second, old, names=("2", "1"), paired_by="correlation_id")
    assert (packs.pairs, packs.differences["citation_coverage"].verdict) == (100, "fail")
    with pytest.raises(DataMissing, match="request_hash"):
        compare_recorded(second, old, names=("2", "1"))


def test_what_was_recorded_without_pack_retrieval_or_text_is_still_measured():
    bare = event(
        1,
        Topic.AI_RESPONSE,
        {"model_used": "m", "latency_ms": 5, "output": {"claims": []}, "request_hash": "a"},
    )
    said = event(
        2,
        Topic.AI_RESPONSE,
        {"model_used": "m", "latency_ms": 9, "text": "I cannot help.", "request_hash": "b"},
    )
    (found,) = measure_recorded(read_recorded_bare([bare, said]))
    measures = found.measures
    assert (found.prompt_pack, found.without_schema) == ("", 1)
    assert (measures["schema_valid_rate"].value, measures["refusal_rate"].value) == (1.0, 0.5)
    assert np.isnan(measures["citation_coverage"].value)
    assert measures["citation_coverage"].quality == "undefined: no claims"
    assert np.isnan(measures["prompt_tokens_p95"].value)
    assert measure_recorded(read_recorded_bare([])) == ()


def test_whatever_stands_inside_an_output_is_judged_and_breaks_nothing():
    outputs = [
        {"x": 2**70, "task": "t" * 999, "prompt_pack": ["models:/cortex/1"]},
        {"x": 1, "retrieval": {"query": 3, "chunks": [{"doc_id": "d" * 999}, {"doc_id": "a\x00b"}, 7, {}]}},
        {"x": 1, "retrieval": "none", "task": None, "prompt_pack": {"name": "cortex"}},
    ]
    events = [
        event(
            number,
            Topic.AI_RESPONSE,
            {
                "model_used": "m",
                "latency_ms": 5,
                "output": output,
                "citations": [{"doc_id": 3}, {}],
                "request_hash": f"r{number}",
            },
        )
        for number, output in enumerate(outputs)
    ]
    (found,) = measure_recorded(read_recorded_bare(events))
    assert (found.answers, found.prompt_pack) == (3, "")
    assert found.measures["schema_valid_rate"].value == 1.0


def read_recorded_bare(events):
    log = InMemoryEventLog(clock=lambda: NOON)
    log.append(events)
    return read_recorded(log.scan(Topic.AI_RESPONSE), log.scan(Topic.AI_REFUSAL))


@settings(deadline=None)  # the first call imports Arrow's readers and SciPy's distributions
@given(st.permutations(range(12)), st.integers(0, 3))
def test_the_order_of_rows_and_replays_change_no_measure(order, replays):
    events = [response(n, valid=n % 3 != 0) for n in range(10)] + [refusal(10, request="r2"), refusal(11)]
    once = read([events[place] for place in order])
    again = read([*events, *(response(100 + n, request=f"r{n}", valid=n % 3 == 0) for n in range(replays))])
    assert once.answers == again.answers
    assert sum(again.repeated.values()) == replays


@settings(deadline=None)  # the first call imports Arrow's readers and SciPy's distributions
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 6)), min_size=2, max_size=40),
)
def test_a_shares_interval_holds_the_share_and_stays_between_zero_and_one(rows):
    parts, more, clusters = (np.array(column) for column in zip(*rows, strict=True))
    wholes = parts + more
    found = share_interval(parts, wholes, clusters=clusters)
    if len(np.unique(clusters[wholes > 0])) < 2:
        assert np.isnan(found.low)
    else:
        assert 0 <= found.low <= parts.sum() / wholes.sum() <= found.high <= 1
        assert found.high > found.low


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "at_least"),
    # Near one the documents that failed may all be missing from a sample: 93 % was measured, and is documented.
    [(0.7, 0.94), (0.9, 0.94), (0.97, 0.92)],
)
def test_intervals_cover_where_items_of_a_document_agree(share, at_least):
    rng, runs = np.random.default_rng(5), 1000
    place = np.repeat(np.arange(60), 5)
    covered, alone, half = 0, 0, 0
    for seed in range(runs):
        by_document = rng.beta(share * 7 / 3, (1 - share) * 7 / 3, size=60)[place]
        good = (rng.random(300) < by_document).astype(float)
        found = share_interval(good, np.ones(300), clusters=place)
        covered += found.low <= share <= found.high
        naive = share_interval(good, np.ones(300), clusters=np.arange(300))
        alone += naive.low <= share <= naive.high
        values = rng.normal(size=60)[place] * 0.7 + rng.normal(size=300)
        (middle,) = percentile_intervals(values, clusters=place, percents=[50], seed=seed, draws=300)
        half += middle.low <= 0 <= middle.high
    assert covered / runs >= at_least
    assert alone / runs < 0.90
    assert 0.92 <= half / runs <= 0.985


def test_one_cluster_says_nothing_of_its_spread():
    ones = np.ones(5)
    for found in (
        share_interval(ones, ones, clusters=np.zeros(5, dtype=int)),
        ratio_interval(ones, ones, clusters=np.zeros(5, dtype=int)),
        *percentile_intervals(ones, clusters=np.zeros(5, dtype=int), percents=[50, 95], seed=1),
    ):
        assert np.isnan(found.low)
        assert np.isnan(found.high)
