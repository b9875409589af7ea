import dataclasses
from datetime import timedelta

import pytest

from ordinis_learn.errors import EvidenceInvalid
from ordinis_learn.records import State
from ordinis_learn.rollout import (
    SHADOW_TAG,
    TRAINING_TAG,
    approval_tag,
    check_statement,
    evidence_hash,
    scorecard_tag,
)


def test_every_statement_is_read(desk, make):
    evidence = desk.read()
    assert evidence.faults == ()
    assert evidence.artifact.canonical() == make.artifact().canonical()
    assert list(evidence.scorecards) == [make.pack]
    assert evidence.shadow == make.shadow()
    assert [each.approver for each in evidence.approvals] == ["model-risk"]
    assert evidence.trained_by == "learn-service"


def test_tags_of_others_are_ignored(desk):
    assert desk.read(desk.tags | {"team": "x", "ordinis.note": "y", "mlflow.user": "z"}) == desk.read()


@pytest.mark.parametrize("key", ["ordinis.evidence.training", "ordinis.approval.model-risk"])
def test_a_statement_that_does_not_verify_is_a_fault_and_not_evidence(desk, key):
    evidence = desk.read(desk.tags | {key: "{}"})
    assert len(evidence.faults) == 1
    assert evidence.faults[0].startswith(f"{key}: ")
    assert evidence.artifact is None or evidence.approvals == ()


@pytest.mark.parametrize(
    "key",
    [
        "Ordinis.Evidence.Training",
        "ordinis.evidence.waiver",
        "ordinis.approval.",
        "ORDINIS.APPROVAL.MODEL-RISK",
    ],
)
def test_a_key_that_only_resembles_ours_is_a_fault(desk, key):
    evidence = desk.read(desk.tags | {key: desk.tags[TRAINING_TAG]})
    assert [fault.split(": ")[0] for fault in evidence.faults] == [key]


def test_a_valid_statement_under_another_key_is_a_fault(desk, make):
    misplaced = {
        SHADOW_TAG: desk.tags[TRAINING_TAG],
        scorecard_tag("bench_other_v1"): desk.tags[scorecard_tag(make.pack)],
        approval_tag("head-of-desk"): desk.tags[approval_tag("model-risk")],
    }
    for key, text in misplaced.items():
        with pytest.raises(EvidenceInvalid):
            check_statement(key, text, subject=make.subject, identities=desk.identities, now=make.now)
    assert len(desk.read(desk.tags | misplaced).faults) == 3


def test_a_statement_about_another_version_is_a_fault(desk, make):
    evidence = desk.read(subject=make.incumbent)
    assert len(evidence.faults) == len(desk.tags)
    assert (evidence.artifact, evidence.shadow, evidence.approvals) == (None, None, ())


def test_an_older_statement_cannot_replace_a_newer_one(desk, make):
    key, approved = approval_tag("model-risk"), desk.tags[approval_tag("model-risk")]
    later = make.approval("e" * 64, answer="refuse", given_at=make.now)
    refused = desk.sign("approval", later, by="model-risk")

    def put(text, *, current):
        return check_statement(
            key, text, subject=make.subject, identities=desk.identities, now=make.now, current=current
        )

    assert put(refused, current=approved).record == later
    with pytest.raises(EvidenceInvalid, match="not newer"):
        put(approved, current=refused)
    assert put(approved, current=approved).signer.name == "model-risk"
    assert put(approved, current="garbage").signer.name == "model-risk"


def test_training_is_attested_once(desk, make):
    other = desk.sign("training", make.artifact(trials=1))
    with pytest.raises(EvidenceInvalid, match="not newer"):
        check_statement(
            TRAINING_TAG,
            other,
            subject=make.subject,
            identities=desk.identities,
            now=make.now,
            current=desk.tags[TRAINING_TAG],
        )


CHANGES = {
    "subject": lambda make: {"subject": make.subject.model_copy(update={"version": "3"})},
    "stored bytes": lambda _: {"stored_sha256": "c" * 64},
    "stored bytes gone": lambda _: {"stored_sha256": None},
    "training": lambda make: {"artifact": make.artifact(seed=8)},
    "trainer": lambda _: {"trained_by": "somebody"},
    "scorecard": lambda make: {"scorecards": {make.pack: make.scorecard(sessions=2501)}},
    "another scorecard": lambda make: {
        "scorecards": {make.pack: make.scorecard(), "b": make.scorecard(pack_id="b")}
    },
    "shadow": lambda make: {"shadow": make.shadow(matured=961)},
    "dataset": lambda make: {"dataset": make.manifest(rows=5001)},
    "incumbent": lambda _: {"incumbent": None},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_hash_covers_what_an_approver_saw(make, change):
    evidence = make.evidence()
    assert evidence_hash(dataclasses.replace(evidence, **change(make))) != evidence_hash(evidence)


def test_the_hash_leaves_out_what_an_approval_must_outlive(make):
    evidence = make.evidence()
    for changes in (
        {"approvals": (make.approval("e" * 64),)},
        {"state": State.CANDIDATE},
        {"drift_breached": True},
        {"faults": ("one",)},
    ):
        assert evidence_hash(dataclasses.replace(evidence, **changes)) == evidence_hash(evidence)


def test_the_hash_does_not_depend_on_when_it_is_read(desk, make):
    later = desk.read(now=make.now + timedelta(days=3))
    assert evidence_hash(later) == evidence_hash(desk.read())
    assert evidence_hash(desk.read()) == evidence_hash(make.evidence())
