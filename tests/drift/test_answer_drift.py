"""Drift of what a language model answers, over recorded events."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from ordinis_learn import open_engine
from ordinis_learn.answers import OutputSchema, read_recorded
from ordinis_learn.cli import main
from ordinis_learn.drift import (
    Judgement,
    check_answers,
    load_answer_reference,
    measure_share_rise,
    save_answer_reference,
    summarise_answers,
)
from ordinis_learn.errors import ConfigInvalid, DataCorrupt, DataMissing
from ordinis_learn.models import EncoderSpec, open_encoder
from ordinis_learn.records import Envelope, Topic
from ordinis_learn.testing import InMemoryEventLog
from ordinis_learn.use_cases.answer_drift import check_answer_drift

FIRST = datetime(2024, 1, 1, 9, tzinfo=UTC)
TAGS = {"instrument_type": "equity", "venue": "XNYS", "jurisdiction": "US", "env": "paper"}
PACK = "models:/cortex/1"
ENCODER = open_encoder(EncoderSpec(kind="ngrams", dimensions=512))
CLAIMS = OutputSchema({"type": "object", "required": ["claims"]})
JUDGEMENT = Judgement(draws=499, seed=2, alpha=0.05, psi_floor=0.2)
WORDS = {
    "filing": [
        "revenue",
        "margin",
        "guidance",
        "segment",
        "quarter",
        "operating",
        "income",
        "cash",
        "flow",
        "buyback",
        "dividend",
        "tax",
    ],
    "weather": [
        "hurricane",
        "rainfall",
        "harvest",
        "drought",
        "port",
        "shipping",
        "storm",
        "insurance",
        "crop",
        "temperature",
        "wind",
    ],
}


def answer(rng, *, day, number, topic, refuse=0.02, broken=0.02, uncovered=0.1, slower=1.0):
    said = " ".join(rng.choice(WORDS[topic], size=12))
    cited = f"d{number % 7}" if rng.random() >= uncovered else "made up"
    text = json.dumps({"claims": [{"text": said, "citations": [{"doc_id": cited}]}]})
    text = said + " {" if rng.random() < broken else text
    text = "I'm sorry, but I cannot help with that." if rng.random() < refuse else text
    chunks = [{"doc_id": f"d{number % 7}"}]
    moment = FIRST + timedelta(days=day, minutes=number)
    return Envelope(
        event_id=f"{day}-{number}",
        event_type=Topic.AI_RESPONSE.value,
        ts_event=moment,
        ts_ingest=moment,
        source="cortex",
        correlation_id=f"c{day}-{number}",
        partition_key="ACME",
        payload={
            "model_used": "m",
            "latency_ms": float(slower * rng.lognormal(6.0, 0.4)),
            "text": text,
            "output": {
                "prompt_pack": PACK,
                "task": "synthesize",
                "retrieval": {"query": "why?", "index_version": "1", "chunks": chunks},
            },
            "request_hash": f"r{day}-{number}",
        },
        tags=TAGS,
    )


def events(*, days, seed, first=0, a_day=15, topic="filing", **rates):
    rng = np.random.default_rng(seed)
    return [
        answer(rng, day=first + day, number=number, topic=topic, **rates)
        for day in range(days)
        for number in range(a_day)
    ]


def judged(envelopes):
    log = InMemoryEventLog(clock=lambda: FIRST + timedelta(days=90))
    log.append(envelopes)
    return read_recorded(
        log.scan(Topic.AI_RESPONSE), log.scan(Topic.AI_REFUSAL), schema_of=lambda *_: CLAIMS
    ).answers


@pytest.fixture(scope="module")
def reference():
    answers = judged(events(days=40, seed=1))
    return summarise_answers(answers, source=answers[0].source, encoder=ENCODER)


def check(reference, answers, **overrides):
    arguments = {"psi_floor": 0.2, "alpha": 0.05, "seed": 5, "clock": lambda: FIRST + timedelta(days=90)}
    return check_answers(
        reference, answers, encoder=ENCODER, name="cortex", version="1", **(arguments | overrides)
    )


def severities(report):
    return {finding.metric: finding.severity for finding in report.findings}


def test_the_same_kind_of_answers_is_no_drift(reference):
    report = check(reference, judged(events(days=10, first=50, seed=2)))
    assert set(severities(report).values()) == {"none"}
    assert {f.feature for f in report.findings} == {"answers", "text_ngrams"}
    assert (report.reference_rows, report.current_rows) == (600, 150)


@pytest.mark.parametrize(
    ("change", "metric"),
    [
        ({"refuse": 0.3}, "refusal_rise"),
        ({"broken": 0.3}, "schema_fail_rise"),
        ({"uncovered": 0.6}, "uncovered_rise"),
        ({"slower": 2.0}, "slow_rise"),
        ({"topic": "weather"}, "embedding_mmd"),
    ],
)
def test_each_change_is_found_by_its_own_metric(reference, change, metric):
    found = severities(check(reference, judged(events(days=10, first=50, seed=3, **change))))
    assert found[metric] == "critical"
    others = {name for name, severity in found.items() if severity == "critical"} - {metric}
    assert others <= ({"embedding_mmd"} if metric == "schema_fail_rise" else set())


def test_better_answers_are_no_drift(reference):
    better = events(days=10, first=50, seed=4, refuse=0.0, broken=0.0, uncovered=0.0, slower=0.5)
    assert set(severities(check(reference, judged(better))).values()) == {"none"}


def test_documents_instead_of_days_may_be_what_moves_together(reference):
    changed = judged(events(days=10, first=50, seed=3, topic="weather"))
    assert severities(check(reference, changed, unit="document"))["embedding_mmd"] == "critical"


def test_one_day_of_answers_has_rates_but_no_shift_of_texts(reference):
    report = check(reference, judged(events(days=1, first=50, seed=6)))
    assert "embedding_mmd" not in severities(report)
    assert severities(report)["refusal_rise"] == "none"


def test_refusals_alone_leave_nothing_else_to_measure(reference):
    found = severities(check(reference, judged(events(days=5, first=50, seed=7, refuse=1.1))))
    assert found["refusal_rise"] == "critical"
    assert set(found) == {"refusal_rise", "slow_rise"}


def test_a_few_days_cannot_be_a_reference():
    answers = judged(events(days=19, seed=1, a_day=2))
    with pytest.raises(DataMissing, match="19 days") as caught:
        summarise_answers(answers, source=answers[0].source, encoder=ENCODER)
    assert caught.value.next_step


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_a_share_that_did_not_rise_never_counts(part, more, now, now_more, seed):
    before = np.random.default_rng(seed).multinomial(part, np.full(20, 0.05)).astype(float)
    sums = np.stack([before, before + more], axis=1)
    current = np.array([[float(now), float(now + now_more)]])
    found = measure_share_rise("answers", "x", before=sums, now=current, judgement=JUDGEMENT)
    if now / (now + now_more) <= before.sum() / sums[:, 1].sum():
        assert (found.values[0], found.p_values[0], found.effects[0]) == (0.0, 1.0, 0.0)
    assert 0.0 < found.p_values[0] <= 1.0


def test_one_refusal_after_none_in_forty_answers_is_no_news():
    none = np.tile([0.0, 2.0], (20, 1))
    once = measure_share_rise("a", "x", before=none, now=np.array([[1.0, 10.0]]), judgement=JUDGEMENT)
    assert once.p_values[0] > 0.05
    often = measure_share_rise("a", "x", before=none, now=np.array([[6.0, 10.0]]), judgement=JUDGEMENT)
    assert often.p_values[0] < 0.01


def test_a_kept_reference_measures_like_the_one_it_was_made_from(reference, tmp_path):
    path = tmp_path / "references" / "one.safetensors"
    assert load_answer_reference(path) is None
    save_answer_reference(reference, path)
    recent = judged(events(days=8, first=50, seed=8, refuse=0.2))
    assert check(load_answer_reference(path), recent) == check(reference, recent)
    assert b"revenue" not in path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"text", save({"days": np.zeros(3)}, metadata={"header": "{}"})])
def test_what_is_no_reference_is_refused_by_name(content, tmp_path):
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(DataCorrupt, match="broken"):
        load_answer_reference(path)


def record(bench, envelopes):
    receipt = bench.recorder.record_events(one.to_json() for one in envelopes)
    assert receipt.accepted == len(envelopes)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    return tmp_path / "desk"


SPAN = date(2024, 1, 1), date(2024, 2, 9)
WINDOW = {"start": date(2024, 2, 20), "end": date(2024, 2, 29)}


def test_a_check_is_remembered_and_alerts(home):
    with open_engine(home=home) as engine:
        bench = engine.workbench
        record(bench, events(days=40, seed=1) + events(days=10, first=50, seed=3, refuse=0.4))
        report = check_answer_drift(bench, PACK, reference=SPAN, **WINDOW)
        assert (report.model, report.version, report.breached) == ("cortex", "1", True)
        assert bench.catalogue.drift("cortex") == [report]
    typed = ["--home", str(home), "drift", "answers", PACK, "--reference-start", "2024-01-01"]
    shown = CliRunner().invoke(
        main, [*typed, "--reference-end", "2024-02-09", "--start", "2024-02-20", "--end", "2024-02-29"]
    )
    assert shown.exit_code == 0, shown.output
    assert "critical  answers" in shown.output
    assert shown.output.splitlines()[-1] == "BREACHED: 150 answers beside 600"


@pytest.mark.slow
def test_the_summary_outlives_the_events_it_was_made_from(home):
    recent = events(days=10, first=50, seed=3, refuse=0.4)
    with open_engine(home=home) as engine:
        record(engine.workbench, events(days=40, seed=1) + recent)
        report = check_answer_drift(engine.workbench, PACK, reference=SPAN, **WINDOW)
    pruned = home.parent / "pruned"
    shutil.copytree(home / "data" / "drift", pruned / "data" / "drift")
    with open_engine(home=pruned) as engine:
        record(engine.workbench, recent)
        again = check_answer_drift(engine.workbench, PACK, reference=SPAN, **WINDOW)
    assert again.findings == report.findings


def test_what_makes_no_sense_is_refused_with_what_to_type(home):
    with open_engine(home=home) as engine:
        bench = engine.workbench
        record(bench, events(days=25, seed=1, a_day=2))
        window = {"start": date(2024, 1, 22), "end": date(2024, 1, 25)}
        early = date(2024, 1, 1), date(2024, 1, 21)
        for name, span, wanted in (
            ("m", (date(2024, 1, 1), date(2024, 1, 23)), "end the reference before"),
            ("nobody", early, "MODEL@PACK"),
        ):
            with pytest.raises(ConfigInvalid) as caught:
                check_answer_drift(bench, name, reference=span, **window)
            assert wanted in caught.value.next_step
        with pytest.raises(DataMissing):
            check_answer_drift(bench, "m", reference=early, start=date(2024, 6, 1), end=date(2024, 6, 2))
        with pytest.raises(DataMissing, match="days"):
            check_answer_drift(bench, "m", reference=(date(2024, 1, 1), date(2024, 1, 5)), **window)
