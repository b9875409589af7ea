"""Approvals by group, and what a revoked or retired key leaves behind."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.errors import ConfigInvalid, EvidenceInvalid
from ordinis_learn.records import Role, State
from ordinis_learn.rollout import approval_tag, check_statement, evidence_hash
from ordinis_learn.rollout.keys import PublicKey, describe
from ordinis_learn.rollout.rules import RULES, Context
from ordinis_learn.rollout.submitted import text_sha256

RULE = RULES["approvals"]


def judged(make, evidence, **params):
    context = Context(
        evidence=evidence,
        evidence_hash=evidence_hash(evidence),
        packs=(make.pack,),
        to_state=State.ACTIVE,
        requester=make.requester,
        now=make.now,
    )
    return RULE.verdict(context, {"max_age_days": 30} | params)


def answered(make, groups):
    """Evidence with one approval of each name, who is in the given groups."""
    evidence = make.evidence()
    yes = tuple(make.approval(evidence_hash(evidence), approver=name) for name in groups)
    return dataclasses.replace(evidence, approvals=yes, approver_groups=groups)


@pytest.mark.parametrize(
    ("groups", "verdict"),
    [
        ({"ann": ("risk",), "bob": ()}, "pass"),
        ({"ann": ("risk",), "bob": ("risk",)}, "pass"),
        ({"ann": (), "bob": ()}, "fail"),
        ({"ann": ("risk",)}, "fail"),
        ({"researcher": ("risk",), "bob": (), "cid": ()}, "fail"),
        ({"learn-service": ("risk",), "bob": (), "cid": ()}, "fail"),
    ],
    ids=["one of each", "both", "none of risk", "too few", "the requester's", "the trainer's"],
)
def test_two_of_whom_one_is_of_risk(make, groups, verdict):
    found = judged(make, answered(make, groups), count=2, groups={"risk": 1})
    assert found.verdict == verdict
    assert "at least 1 from risk" in found.asked


def test_what_is_missing_is_said_with_what_to_type(make):
    found = judged(make, answered(make, {"ann": (), "bob": ()}), count=2, groups={"risk": 1})
    assert "0 of 1 from risk" in found.found
    assert "an approver of risk run: ordinis-learn approve" in found.next_step


def test_more_of_a_group_than_in_all_cannot_be_asked(make):
    assert judged(make, make.evidence(), count=1, groups={"risk": 2}).verdict == "not_evaluable"


names = st.sampled_from(["ann", "bob", "cid", "dan"])
people = st.dictionaries(names, st.sets(st.sampled_from(["risk", "desk"])).map(tuple), max_size=4)


@given(people=people, count=st.integers(1, 4), risk=st.integers(0, 4), one_more=names)
def test_passes_just_when_enough_of_each_said_yes_and_never_less_with_one_more(
    make, people, count, risk, one_more
):
    risk = min(risk, count)
    params = {"count": count, "groups": {"risk": risk} if risk else {}}
    enough = len(people) >= count and sum("risk" in groups for groups in people.values()) >= risk
    assert (judged(make, answered(make, people), **params).verdict == "pass") == enough
    if enough:
        more = {one_more: ("risk", "desk")} | people
        assert judged(make, answered(make, more), **params).verdict == "pass"


def changed(desk, name, **changes):
    return [one.model_copy(update=changes if one.name == name else {}) for one in desk.identities]


def test_groups_come_from_the_signer_s_identity(desk):
    evidence = desk.read(identities=changed(desk, "model-risk", groups=("risk",)))
    assert evidence.approver_groups == {"model-risk": ("risk",)}


def test_a_revoked_approver_s_yes_is_void_and_no_fault(desk, make):
    evidence = desk.read(identities=changed(desk, "model-risk", revoked_at=make.now))
    assert (evidence.faults, evidence.approvals) == ((), ())
    found = judged(make, evidence, count=1)
    assert found.verdict == "fail"
    assert "the approval of model-risk is void: its key was revoked" in found.found


def test_revoking_a_key_does_not_lift_its_refusal(desk, make):
    no = make.approval(evidence_hash(desk.read()), answer="refuse")
    tags = desk.tags | {approval_tag("model-risk"): desk.sign("approval", no, by="model-risk")}
    evidence = desk.read(tags, identities=changed(desk, "model-risk", revoked_at=make.now))
    assert evidence.faults == ()
    assert judged(make, evidence, count=0).found == "refused by model-risk"


def test_evidence_of_a_revoked_service_is_a_fault(desk, make):
    evidence = desk.read(identities=changed(desk, "learn-service", revoked_at=make.now))
    assert len(evidence.faults) == 3


def test_a_forged_approval_in_a_revoked_name_stays_a_fault(desk, make):
    key = approval_tag("model-risk")
    tags = desk.tags | {key: desk.tags[key].replace('"sig":"', '"sig":"AAAA', 1)}
    evidence = desk.read(tags, identities=changed(desk, "model-risk", revoked_at=make.now))
    assert (len(evidence.faults), evidence.voided) == (1, ())


@pytest.mark.parametrize(
    ("accepted_days_ago", "faults"), [(3, 0), (1, 1), (None, 1)], ids=["before", "after", "never"]
)
def test_a_retired_key_vouches_for_what_was_accepted_before(desk, make, accepted_days_ago, faults):
    identities = changed(desk, "model-risk", retired_at=make.days_ago(2))
    text = desk.tags[approval_tag("model-risk")]
    accepted = {} if accepted_days_ago is None else {text_sha256(text): make.days_ago(accepted_days_ago)}
    evidence = desk.read(identities=identities, accepted=accepted)
    assert (len(evidence.faults), len(evidence.approvals)) == (faults, 1 - faults)


def test_a_retired_key_signs_nothing_new(desk, make):
    key = approval_tag("model-risk")
    with pytest.raises(EvidenceInvalid, match="retired"):
        check_statement(
            key,
            desk.tags[key],
            subject=make.subject,
            identities=changed(desk, "model-risk", retired_at=make.now - timedelta(seconds=1)),
            now=make.now,
        )


@pytest.mark.parametrize("group", ["Risk", "head of desk", "", "1st", "risk\n"])
def test_a_group_is_a_plain_word(make, group):
    key = PublicKey(name="ann", key_id="a" * 64, public_key="b" * 64)
    with pytest.raises(ConfigInvalid):
        describe(key, roles=[Role.APPROVER], groups=[group], clock=lambda: make.now)
