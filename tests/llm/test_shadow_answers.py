"""A prompt pack beside the active one on the same requests: recorded answers first, the endpoint for the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from ordinis_learn import LearningEngine
from ordinis_learn.answers import MIN_ITEMS, Coverage, pack_questions, write_questions
from ordinis_learn.answers.outcome import Answer, Outcome
from ordinis_learn.cli import main
from ordinis_learn.errors import DataCorrupt, DataMissing, RolloutDenied
from ordinis_learn.prompts import read_pack_file
from ordinis_learn.records import Actor, Question, QuestionDocument, Role, State
from ordinis_learn.shadow.answers import PairedRequest, answer_losses, compare_requests
from ordinis_learn.use_cases.answer_drift_daily import due_answers
from ordinis_learn.use_cases.approve import answer_request
from ordinis_learn.use_cases.drift_daily import run_daily_drift
from ordinis_learn.use_cases.refusals import refused_rules
from ordinis_learn.use_cases.shadow_answers import ask_requests, report_answers
from ordinis_learn.use_cases.shadow_daily import run_daily_shadows
from ordinis_learn.use_cases.sign import create_identity, reference

from .conftest import completion  # isort: skip

MOMENT = datetime(2026, 3, 2, 9, tzinfo=UTC)
TAGS = {"instrument_type": "equity", "venue": "XNAS", "jurisdiction": "US", "env": "prod"}


def outcome(*, valid=True, refused=False, failed=False, covered=1, claims=1):
    return Outcome(
        item_id="q",
        valid_before_repair=valid,
        valid=valid,
        refused=refused,
        failed=failed,
        coverage=Coverage(claims=claims, covered=covered, cited=claims, resolved=covered),
        required=0,
        required_cited=0,
        answer=Answer(text="x", latency_ms=100.0),
    )


def pair(number, candidate, active=None, *, recorded=True):
    return PairedRequest(
        request=f"r{number:03d}",
        moment=MOMENT + timedelta(minutes=number),
        active=active or outcome(),
        candidate=candidate,
        recorded=recorded,
    )


def test_rates_are_paired_over_the_requests_on_which_they_can_be():
    requests = [
        pair(0, outcome()),
        pair(1, outcome(valid=False)),
        pair(2, outcome(valid=False, refused=True, claims=0, covered=0)),
        pair(3, outcome(), outcome(valid=False, covered=0)),
        pair(4, outcome(covered=0), recorded=False),
        pair(5, None),
    ]
    found = compare_requests(requests)
    assert (found.requests, found.paired, found.unpaired, found.recorded, found.asked) == (6, 5, 1, 4, 1)
    valid = found.differences["schema_valid"]
    assert (valid.pairs, valid.gained, valid.lost, valid.p_value) == (4, 1, 1, 1.0)
    assert (found.differences["refused"].pairs, found.differences["refused"].gained) == (5, 1)
    coverage = found.differences["citation_coverage"]
    assert (coverage.pairs, coverage.difference) == (4, 0.0)
    assert valid.low < valid.difference < valid.high
    assert answer_losses(requests).tolist() == [0.0, 1.0, 1.0, -1.0, 0.0]
    assert compare_requests(list(reversed(requests))) == found


def test_a_pack_that_keeps_to_its_schema_less_often_is_seen():
    requests = [pair(n, outcome(valid=n % 3 > 0)) for n in range(600)]
    found = compare_requests(requests).differences["schema_valid"]
    assert (found.lost, found.gained) == (200, 0)
    assert found.p_value < 1e-9
    assert found.high < 0


def question(number):
    document = QuestionDocument(doc_id=f"d{number}", locator="p. 4", text="Margin was 41 %.")
    return Question(
        item_id=f"q{number:03d}",
        task="synthesize_research",
        variables={"query": f"Did it rise in quarter {number}?"},
        documents=(document,),
        required=(document.doc_id,),
    )


def says(request):
    """Cite the document that is in the question; a pack that is told to be brief now and then writes no JSON."""
    said = request["messages"][-1]["content"]
    number = int(said.split("quarter ")[1].split("?")[0])
    brief = "Be brief." in request["messages"][0]["content"]
    cited = [{"doc_id": said.split("doc_id: ")[1].split(";")[0], "locator": "p. 4"}]
    answer = {"claims": [{"text": "It rose.", "citations": cited}], "uncertainties": []}
    return 200, {}, completion("It rose." if brief and number % 4 == 0 else json.dumps(answer))


@pytest.fixture
def desk(engine, endpoint, cortex_file, tmp_path):
    """Version 1 of a pack is ACTIVE, version 2 has registered; an endpoint answers both."""
    endpoint.script = [says]
    pack = read_pack_file(cortex_file)
    settings = engine.workbench.settings.model_copy(
        update={"learn_llm_url": endpoint.url, "learn_llm_cassette": tmp_path / "cassette"}
    )
    desk = LearningEngine(replace(engine.workbench, settings=settings))
    bench = desk.workbench
    drawn = pack_questions(
        "prompt_eval_v1",
        [question(number) for number in range(MIN_ITEMS)],
        source_ref="answers@1",
        clock=lambda: MOMENT,
    )
    write_questions(drawn, root=bench.settings.bench_dir)
    first = desk.train({"model_type": "prompt_pack", "name": "cortex", "pack": pack.to_json()})
    desk.evaluate(first.artifact_id, "prompt_eval_v1")
    desk.rollout(first.artifact_id, {"stage": "shadow"})
    for name in ("grace", "alan"):
        actor = Actor(name="researcher", kind="claimed")
        create_identity(bench, name, roles=(Role.APPROVER,), actor=actor)
        answer_request(
            bench, reference(first), target=State.ACTIVE, answer="approve", identity=name, comment="read"
        )
    desk.rollout(first.artifact_id, {"stage": "active"})
    tasks = pack.to_json()["tasks"]
    brief = tasks | {"synthesize_research": tasks["synthesize_research"] | {"system": "Be brief."}}
    return desk, registered_then(desk, pack.to_json() | {"tasks": brief})


def registered_then(engine, pack):
    """Register a pack at the moment from which the requests of these tests count."""
    then = LearningEngine(replace(engine.workbench, clock=lambda: MOMENT))
    return then.train({"model_type": "prompt_pack", "name": "cortex", "pack": pack})


def record(engine, number, *, pack, text=None):
    chunk = {"doc_id": f"d{number % 100}", "locator": "p. 4"}
    cited = {"claims": [{"text": "It rose.", "citations": [chunk]}], "uncertainties": []}
    retrieval = {"query": f"Did it rise in quarter {number}?", "index_version": "1", "chunks": [chunk]}
    engine.record_event(
        {
            "event_id": f"{pack}-{number}",
            "event_type": "ordinis.ai.response",
            "schema_version": "1.0.0",
            "ts_event": (MOMENT + timedelta(minutes=number)).isoformat(),
            "ts_ingest": (MOMENT + timedelta(minutes=number)).isoformat(),
            "source": "cortex",
            "correlation_id": f"c{number}",
            "partition_key": "ACME",
            "tags": TAGS,
            "payload": {
                "model_used": "m",
                "latency_ms": 120.5,
                "text": json.dumps(cited) if text is None else text,
                "output": {"prompt_pack": pack, "task": "synthesize_research", "retrieval": retrieval},
                "request_hash": f"r-{number}",
            },
        }
    )


def test_requests_from_before_it_was_registered_do_not_count(desk):
    engine, second = desk
    for number in range(-30, 0):
        record(engine, number, pack="models:/cortex/1")
        record(engine, number, pack="models:/cortex/2")
    with pytest.raises(DataMissing, match="30 answers, all to requests from before 2026-03-02"):
        report_answers(engine.workbench, second)
    for number in range(3):
        record(engine, number, pack="models:/cortex/1")
        record(engine, number, pack="models:/cortex/2")
    assert report_answers(engine.workbench, second).paired_decisions == 3


@pytest.mark.parametrize("told", ["2026-03-02T10:00:00", "last Tuesday", ""])
def test_a_version_that_does_not_say_when_it_was_registered_has_no_shadow(desk, told):
    engine, second = desk
    record(engine, 1, pack="models:/cortex/1")
    with pytest.raises(DataCorrupt, match="no moment with a time zone") as refused:
        report_answers(engine.workbench, second.model_copy(update={"created_at": told}))
    assert repr(told) in refused.value.found


def test_recorded_answers_are_paired_and_the_rest_is_asked_once(desk, endpoint, tmp_path, monkeypatch):
    engine, second = desk
    bench = engine.workbench
    documents = tmp_path / "documents.jsonl"
    with pytest.raises(DataMissing, match=r"output\.prompt_pack"):
        ask_requests(bench, second)
    for number in range(40):
        record(engine, number, pack="models:/cortex/1")
    with pytest.raises(DataMissing, match="shadow run cortex 2"):
        report_answers(bench, second)
    record(engine, 0, pack="models:/cortex/2", text="It rose.")
    before = len(endpoint.asked)
    assert ask_requests(bench, second) == (0, 39)  # nobody told the texts of the documents
    assert len(endpoint.asked) == before
    lines = [{"doc_id": f"d{number}", "locator": "p. 4", "text": "Margin was 41 %."} for number in range(20)]
    documents.write_text("\n".join(json.dumps(line) for line in lines))
    assert ask_requests(bench, second, documents=documents) == (19, 20)
    assert len(endpoint.asked) == before + 19
    assert ask_requests(bench, second, documents=documents) == (19, 20)
    assert len(endpoint.asked) == before + 19  # what was answered is not asked again

    report = report_answers(bench, second, documents=documents)
    found = report.answers
    assert (found.requests, found.paired, found.recorded, found.asked, found.unpaired) == (40, 20, 1, 19, 20)
    assert (report.active.version, report.decisions, report.unpaired) == ("1", 20, 20)
    assert found.active["schema_valid_rate"] == 1.0
    assert found.candidate["schema_valid_rate"] == pytest.approx(15 / 20)  # 0, 4, 8, 12, 16
    assert found.differences["schema_valid"].lost == 5
    assert report.loss_difference == pytest.approx(5 / 20)
    assert report.loss_interval.low < 5 / 20 < report.loss_interval.high
    assert bench.registry.shadow_report("cortex", "2").content_hash() == report.content_hash()

    home = str(bench.settings.home)
    monkeypatch.setenv("ORDINIS_ACTOR", "researcher")
    typed = ["--home", home, "shadow", "report", "cortex"]
    shown = CliRunner().invoke(main, [*typed, "2", "--documents", str(documents)])
    assert shown.exit_code == 0, shown.output
    assert "40 requests, 20 paired (1 recorded, 19 asked), 20 without" in shown.output
    assert "of no use, candidate minus active: +0.2500" in shown.output
    first = CliRunner().invoke(main, [*typed, "1"])
    assert first.exit_code == 1
    assert "no other version to beat" in first.output


def record_days(engine, days, *, text=None):
    for day in days:
        for number in range(12):
            record(engine, day * 24 * 60 + number, pack="models:/cortex/1", text=text)


@pytest.mark.slow
def test_the_answers_of_what_is_active_are_checked_daily_each_day_once(desk):
    engine, _ = desk
    bench = engine.workbench

    def checked():
        return [(one.outcome, one.session and one.session.day, one.said) for one in run_daily_drift(bench)]

    record_days(engine, range(20))
    assert checked() == [("nothing", None, "1 days of answers are missing")]
    record_days(engine, range(20, 26))
    assert checked() == [("checked", 27, "no breach")]  # 2 March and 25 days: the newest alone
    assert checked() == [("nothing", None, "no new day with answers")]
    record_days(engine, range(26, 29), text="I'm sorry, but I cannot help with that.")
    breached = checked()
    assert [(outcome, day) for outcome, day, _ in breached] == [
        ("checked", 28),
        ("checked", 29),
        ("checked", 30),
    ]
    assert bench.alerts.unlogged() == []
    opened = bench.alerts.alerts("cortex")
    assert {(alert.kind, alert.version) for alert in opened} == {("drift", "1")}
    assert any(alert.metric == "refusal_rise" for alert in opened)
    assert len(bench.catalogue.drift("cortex")) == 4


@pytest.mark.slow
def test_a_pack_in_shadow_is_asked_and_reported_on_every_day(desk):
    engine, second = desk
    bench = engine.workbench
    assert run_daily_shadows(bench) == []  # version 2 is a candidate yet
    engine.evaluate(second.artifact_id, "prompt_eval_v1")
    engine.rollout(second.artifact_id, {"stage": "shadow"})
    for number in range(4):
        record(engine, number, pack="models:/cortex/1")
        record(engine, number, pack="models:/cortex/2")
    assert run_daily_shadows(bench) == [
        "cortex v2 0 requests answered, 0 cannot be asked again, 4 paired decisions reported"
    ]


def ask_for_active(engine, artifact):
    answer_request(
        engine.workbench,
        reference(artifact),
        target=State.ACTIVE,
        answer="approve",
        identity="grace",
        comment="read",
    )
    return engine.rollout(artifact.artifact_id, {"stage": "active"})


@pytest.mark.slow
def test_the_gate_reads_the_shadow_of_a_pack_and_lets_one_that_is_just_as_good_through(desk):
    engine, worse = desk
    bench = engine.workbench
    pack = read_pack_file(Path(bench.registry.local_path("cortex", "1")) / "pack.json").to_json()
    equal = registered_then(engine, pack | {"description": "in other words"})
    for artifact in (worse, equal):
        engine.evaluate(artifact.artifact_id, "prompt_eval_v1")
        engine.rollout(artifact.artifact_id, {"stage": "shadow"})
    for number in range(260):
        hour = number * 60  # eleven days
        record(engine, hour, pack="models:/cortex/1")
        record(engine, hour, pack="models:/cortex/2", text="It rose." if number % 4 == 0 else None)
        if number < 150:
            record(engine, hour, pack="models:/cortex/3")

    report_answers(bench, worse)
    with pytest.raises(RolloutDenied):
        ask_for_active(engine, worse)
    assert refused_rules(bench, worse) == {
        "measure_not_inferior:refusal_rate",
        "shadow_not_inferior",
        "shadow_answers_not_inferior:citation_coverage",
    }
    report_answers(bench, equal)
    with pytest.raises(RolloutDenied):
        ask_for_active(engine, equal)
    # 150 of 260 are paired: too few, and too many without a partner; 150 do not show five points.
    assert refused_rules(bench, equal) == {"shadow_decisions", "shadow_not_inferior"}
    for number in range(150, 260):
        record(engine, number * 60, pack="models:/cortex/3")
    report_answers(bench, equal)
    ask_for_active(engine, equal)
    assert bench.registry.active_version("cortex") == "3"


@pytest.mark.slow
def test_the_days_of_comparison_are_chosen_once_whatever_comes_late_or_leaves_the_log(desk):
    engine, _ = desk
    bench = engine.workbench
    artifact = next(one for one in bench.catalogue.artifacts("cortex") if one.version == "1")
    record_days(engine, range(3, 26))
    first = due_answers(bench, artifact)
    assert due_answers(bench, artifact) == first
    record_days(engine, range(2))  # two days before the first one, told late
    moved = due_answers(bench, artifact)
    assert moved.reference == first.reference
    assert (moved.later, moved.days) == (first.later, first.days)
    assert moved.answered == first.answered + 2
    (kept,) = (bench.settings.drift_dir / "references").glob("answer-days-*.json")
    kept.unlink()
    run_daily_drift(bench)  # chosen anew, of what there is
    again = due_answers(bench, artifact).reference
    assert again is not None
    assert again[0] < first.reference[0]
    kept.unlink()  # a home from before the days were kept goes on with those of its last check
    record_days(engine, range(26, 27))
    assert due_answers(bench, artifact).reference == again
    kept.write_text("{}")
    with pytest.raises(DataCorrupt, match="answer-days"):
        due_answers(bench, artifact)


@pytest.mark.slow
def test_a_defect_in_one_version_s_shadow_leaves_the_others_their_report(desk):
    engine, second = desk
    bench = engine.workbench
    engine.evaluate(second.artifact_id, "prompt_eval_v1")
    engine.rollout(second.artifact_id, {"stage": "shadow"})
    rule = engine.train({"name": "a_rule", "model": "rule"})
    for number in range(4):
        record(engine, number, pack="models:/cortex/1")
        record(engine, number, pack="models:/cortex/2")

    class Registry:
        def __getattr__(self, attribute):
            return getattr(bench.registry, attribute)

        def state(self, name, version):
            return State.SHADOW if name == rule.name else bench.registry.state(name, version)

        def local_path(self, name, version):
            if name == rule.name:
                raise ZeroDivisionError("a defect of this test")
            return bench.registry.local_path(name, version)

    with pytest.raises(ZeroDivisionError):
        run_daily_shadows(replace(bench, registry=Registry()))
    assert bench.registry.shadow_report("cortex", "2") is not None
