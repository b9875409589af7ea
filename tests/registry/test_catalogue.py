"""The contract of a catalogue, for the one in memory and the one over SQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from ordinis_learn.errors import ArtifactMissing, BenchDataMissing, DataCorrupt, DataMissing
from ordinis_learn.records import REQUIRED_TAGS, Actor, Envelope
from ordinis_registry import SqlCatalogue
from ordinis_registry.catalogue import is_drift_breached, trials_before


def topics(catalogue):
    return [entry["topic"] for entry in catalogue.pending_events()]


def test_datasets_are_found_by_reference_and_by_name(catalogue, make):
    first, second = make.manifest(), make.manifest(version="v2", content_sha256="e" * 64)
    catalogue.add_dataset(first)
    catalogue.add_dataset(second)
    assert catalogue.dataset("core@v1") == first
    assert catalogue.dataset("core") == second
    with pytest.raises(DataMissing):
        catalogue.dataset("core@v3")
    with pytest.raises(DataMissing):
        catalogue.dataset("other")


def test_a_rejected_dataset_is_remembered_and_told(catalogue, make):
    check = make.manifest().validation.model_copy(update={"success": False, "failed": ("no_nulls",)})
    catalogue.add_dataset(make.manifest(validation=check))
    (entry,) = catalogue.pending_events()
    assert entry["payload"]["payload"]["accepted"] is False
    assert entry["payload"]["payload"]["failed"] == ["no_nulls"]


def test_artifacts_keep_undefined_metrics_and_their_order(catalogue, make):
    first, second = make.artifact(), make.artifact(artifact_id="ART-2", version="2")
    other = make.artifact(artifact_id="ART-3", name="other")
    for artifact in (first, second, other):
        catalogue.add_artifact(artifact)
    found = catalogue.artifact("ART-1")
    assert found.to_json() == first.to_json()
    assert found.metrics["undefined"] != found.metrics["undefined"]
    assert [one.artifact_id for one in catalogue.artifacts()] == ["ART-1", "ART-2", "ART-3"]
    assert [one.artifact_id for one in catalogue.artifacts("sp500_signal")] == ["ART-1", "ART-2"]
    with pytest.raises(ArtifactMissing):
        catalogue.artifact("ART-9")


def test_packs(catalogue, make):
    catalogue.add_pack(make.pack())
    assert catalogue.pack("bench_core_v1") == make.pack()
    with pytest.raises(BenchDataMissing):
        catalogue.pack("bench_other")


def test_every_evaluation_is_kept(catalogue, make):
    first, second = make.scorecard(), make.scorecard(seed=8)
    for card in (first, second, first):
        catalogue.add_scorecard("ART-1", card)
    catalogue.add_scorecard("ART-2", first)
    assert list(catalogue.scorecards("ART-1")) == [first, second]
    assert catalogue.scorecards("nothing") == []
    told = ["ordinis.learn.eval.completed", "ordinis.bench.scorecard.generated"]
    assert topics(catalogue) == told * 3


def test_drift_checks_and_their_alerts(catalogue, make):
    catalogue.add_drift(make.drift(), [make.alert()])
    catalogue.add_drift(make.drift(breached=False, findings=()), [])
    catalogue.add_drift(make.drift(), [make.alert()])
    assert [report.breached for report in catalogue.drift("sp500_signal")] == [True, False]
    assert topics(catalogue) == ["ordinis.learn.drift.alert"]


def test_the_same_again_is_no_news(catalogue, make):
    for _ in range(2):
        catalogue.add_dataset(make.manifest())
        catalogue.add_artifact(make.artifact())
        catalogue.add_pack(make.pack())
    later = make.manifest(created_at=make.now.replace(year=2023))
    catalogue.add_dataset(later)
    assert catalogue.dataset("core").created_at == make.now
    assert topics(catalogue) == [
        "ordinis.learn.dataset.built",
        "ordinis.learn.model.trained",
        "ordinis.bench.pack.generated",
    ]


@pytest.mark.parametrize(
    ("add", "first", "second"),
    [
        ("add_dataset", "manifest", {"rows": 1}),
        ("add_artifact", "artifact", {"seed": 8}),
        ("add_pack", "pack", {"seed": 8}),
    ],
)
def test_another_record_under_the_same_identity_is_an_error(catalogue, make, add, first, second):
    build = getattr(make, first)
    getattr(catalogue, add)(build())
    with pytest.raises(DataCorrupt) as caught:
        getattr(catalogue, add)(build(**second))
    assert caught.value.data["differing"] == list(second)
    assert len(catalogue.pending_events()) == 1


def test_events_are_whole_envelopes_and_leave_when_published(catalogue, make):
    catalogue.add_dataset(make.manifest())
    catalogue.add_artifact(make.artifact())
    first, second = catalogue.pending_events()
    envelope = Envelope.model_validate(first["payload"])
    assert envelope.source == "learn"
    assert set(envelope.tags) >= REQUIRED_TAGS
    assert envelope.event_type == first["topic"]
    assert first["created_at"] == make.now
    catalogue.mark_published([first["id"]])
    assert [entry["id"] for entry in catalogue.pending_events()] == [second["id"]]
    catalogue.mark_published([first["id"], 4711])
    assert len(catalogue.pending_events()) == 1


def test_the_same_change_makes_the_same_event_id(make):
    from ordinis_learn.testing.catalogue import InMemoryCatalogue

    ids = []
    for _ in range(2):
        catalogue = InMemoryCatalogue(clock=lambda: make.now)
        catalogue.add_dataset(make.manifest())
        ids.append(catalogue.pending_events()[0]["payload"]["event_id"])
    assert ids[0] == ids[1]


def test_a_breach_stands_until_the_same_version_is_checked_again_on_the_same_ground(database, make):
    catalogue = SqlCatalogue(database, clock=lambda: make.now)
    quiet = {"breached": False, "findings": ()}

    def stands(version="1"):
        with database.reading() as session:
            return is_drift_breached(session, "sp500_signal", version)

    assert not stands()
    breach = make.drift()
    catalogue.add_drift(breach, [])
    assert stands()
    assert not stands("2")
    catalogue.add_drift(make.drift(version="2", **quiet), [])
    catalogue.add_drift(make.drift(dataset_ref="other@v1", **quiet), [])
    catalogue.add_drift(make.drift(end=breach.end - timedelta(days=1), **quiet), [])
    assert stands()
    catalogue.add_drift(make.drift(created_at=breach.created_at + timedelta(days=1), **quiet), [])
    assert not stands()


def test_trials_before_a_version_are_those_of_all_earlier_ones(database, make):
    catalogue = SqlCatalogue(database, clock=lambda: make.now)
    for version, trials in (("1", 1), ("2", 8), ("10", 5)):
        catalogue.add_artifact(make.artifact(artifact_id=f"A{version}", version=version, trials=trials))
    with database.reading() as session:
        counted = [trials_before(session, "sp500_signal", version) for version in ("1", "2", "3", "10", "11")]
    assert counted == [0, 1, 9, 9, 14]


def test_what_is_done_to_datasets_is_recorded_in_order(catalogue, make):
    first, second = make.manifest(), make.manifest(version="v2", content_sha256="e" * 64)
    assert (list(catalogue.datasets()), list(catalogue.dataset_records())) == ([], [])
    for manifest in (first, second):
        catalogue.add_dataset(manifest)
    assert list(catalogue.datasets()) == [first, second]
    actor = Actor(name="ana", kind="claimed")
    held = catalogue.record_dataset("dataset.held", actor=actor, body={"ref": first.ref, "reason": "why"})
    catalogue.record_dataset("dataset.released", actor=actor, body={"ref": first.ref, "reason": "done"})
    records = catalogue.dataset_records()
    assert [record.action for record in records] == ["dataset.held", "dataset.released"]
    assert records[0] == held
    assert (held.subject, held.actor, held.body) == ("*", actor, {"ref": first.ref, "reason": "why"})


def test_with_since_a_record_that_is_not_older_stands(catalogue, make):
    actor = Actor(name="ana", kind="claimed")
    first = catalogue.record_dataset("dataset.pruned", actor=actor, body={"ref": "core@v1"}, since=make.now)
    again = catalogue.record_dataset("dataset.pruned", actor=actor, body={"ref": "core@v1"}, since=first.at)
    other = catalogue.record_dataset("dataset.pruned", actor=actor, body={"ref": "core@v2"}, since=first.at)
    later = catalogue.record_dataset(
        "dataset.pruned", actor=actor, body={"ref": "core@v1"}, since=first.at + timedelta(seconds=1)
    )
    assert again == first
    assert len({first.sequence, other.sequence, later.sequence}) == 3


def test_two_that_prune_at_once_leave_one_record(database, make):
    """On PostgreSQL too, where both would otherwise look before either has written."""
    catalogues = [SqlCatalogue(database, clock=lambda: make.now) for _ in range(6)]
    start = Barrier(len(catalogues))

    def prune(catalogue):
        start.wait()
        actor = Actor(name="ana", kind="claimed")
        return catalogue.record_dataset(
            "dataset.pruned", actor=actor, body={"ref": "core@v1"}, since=make.now
        )

    with ThreadPoolExecutor(len(catalogues)) as pool:
        made = list(pool.map(prune, catalogues))
    assert len({record.sequence for record in made}) == 1
    assert len(catalogues[0].dataset_records()) == 1


def test_failures_are_counted_by_label(catalogue):
    for label in ("signal_model", "prompt_pack", "signal_model"):
        catalogue.add_failure("train", label=label, subject="m", code="E_LEARN_TRAIN_FAILED", found="why")
    assert catalogue.failures("train") == {"signal_model": 2, "prompt_pack": 1}
    assert catalogue.failures("evaluate") == {}


def test_failures_of_a_subject_are_those_since_a_moment_oldest_first(catalogue, make):
    for found in ("first", "second"):
        catalogue.add_failure("train", label="signal_model", subject="m", code="E_X", found=found)
    catalogue.add_failure("train", label="signal_model", subject="n", code="E_X", found="another model")
    catalogue.add_failure("evaluate", label="pack", subject="m", code="E_X", found="another step")
    assert [one.found for one in catalogue.failures_of("train", "m", since=make.now)] == ["first", "second"]
    assert {one.at for one in catalogue.failures_of("train", "m", since=make.now)} == {make.now}
    assert list(catalogue.failures_of("train", "m", since=make.now + timedelta(seconds=1))) == []


def test_the_first_trace_of_a_subject_stays(catalogue):
    assert catalogue.trace_of("dataset:core@v1") is None
    catalogue.keep_trace("dataset:core@v1", "00-first")
    catalogue.keep_trace("dataset:core@v1", "00-second")
    assert catalogue.trace_of("dataset:core@v1") == "00-first"
