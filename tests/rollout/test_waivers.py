"""A rule set aside by two people, for a while; the verdict stays."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.records import Actor, State, WaiverGrant
from ordinis_learn.rollout import decide, evidence_hash, explain
from ordinis_learn.rollout.rules import RULES
from ordinis_learn.rollout.tags import kind_of, waiver_tag
from ordinis_learn.rollout.waivers import BREAK_GLASS, NEVER_WAIVED


def weak(make, **changes):
    """Approved evidence whose edge is too small for the policy."""
    card = make.scorecard(metrics={"sharpe": 0.76, "max_drawdown": 0.20})
    evidence = make.evidence(scorecards={make.pack: card}, **changes)
    return make.approved(evidence)


def grant(make, evidence, by, rule="delta_sharpe", **changes):
    fields = {
        "subject": make.subject,
        "target": State.ACTIVE,
        "rule": rule,
        "reason": "index change",
        "compensating_control": "half the size",
        "evidence_hash": evidence_hash(evidence),
        "granted_by": by,
        "granted_at": make.now - timedelta(hours=2),
        "expires_at": make.now + timedelta(days=5),
    }
    return WaiverGrant.model_validate(fields | changes)


def asked(make, policy, evidence, *grants, requester="researcher"):
    return decide(
        dataclasses.replace(evidence, grants=grants),
        to_state=State.ACTIVE,
        requester=Actor(name=requester, kind="claimed"),
        policy=policy,
        now=make.now,
    )


def two(make, evidence, **changes):
    return grant(make, evidence, "ann", **changes), grant(make, evidence, "bob", **changes)


def test_two_signatures_set_a_rule_aside_and_its_verdict_stays(make, policy):
    evidence = weak(make)
    assert [verdict.rule for verdict in asked(make, policy, evidence).reasons] == ["delta_sharpe"]
    decision = asked(make, policy, evidence, *two(make, evidence))
    assert decision.allowed
    assert (decision.code, decision.waived, decision.reasons) == ("", ("delta_sharpe",), ())
    (verdict,) = [verdict for verdict in decision.verdicts if not verdict.passed]
    assert verdict.rule == "delta_sharpe"
    (waiver,) = decision.waivers
    assert waiver.granted_by == ("ann", "bob")
    assert "WAIVED        delta_sharpe by ann and bob" in explain(decision)
    assert not decision.break_glass


@pytest.mark.parametrize(
    "changes",
    [
        {"evidence_hash": "0" * 64},
        {"target": State.SHADOW},
        {"expires_at": "2022-12-28T21:00:00Z"},
        {"granted_at": "2022-12-14T20:59:59Z"},
        {"granted_at": "2022-12-28T21:06:00Z"},
        {"rule": "sharpe_significant"},
        {"granted_by": "researcher"},
        {"granted_by": "learn-service"},
    ],
    ids=["other evidence", "other move", "over", "too old", "future", "other rule", "requester", "trainer"],
)
def test_a_grant_that_does_not_count_leaves_the_gate_closed_and_says_why(make, policy, changes):
    evidence = weak(make)
    first, second = two(make, evidence)
    decision = asked(make, policy, evidence, first, second)
    assert decision.allowed
    spoiled = WaiverGrant.model_validate(second.model_dump() | changes)
    decision = asked(make, policy, evidence, first, spoiled)
    assert not decision.allowed
    assert decision.waivers == ()
    assert decision.waiver_notes


def test_one_person_is_not_two(make, policy):
    evidence = weak(make)
    again = grant(make, evidence, "ann", reason="once more")
    decision = asked(make, policy, evidence, grant(make, evidence, "ann"), again)
    assert not decision.allowed
    assert "1 of 2" in " ".join(decision.waiver_notes)


@pytest.mark.parametrize("rule", sorted(NEVER_WAIVED))
def test_some_rules_are_never_waived(make, policy, rule):
    evidence = make.evidence(faults=("a tag does not verify",), stored_sha256=None)
    grants = two(make, evidence, rule=rule) + two(make, evidence, rule=BREAK_GLASS)
    decision = asked(make, policy, evidence, *grants)
    assert not decision.allowed
    assert {"artifact_intact", "evidence_verified", "approvals"} <= {one.rule for one in decision.reasons}


def test_breaking_the_glass_covers_what_can_be_waived_and_is_loud(make, policy):
    evidence = weak(make, drift_breached=True, shadow=None)
    decision = asked(make, policy, evidence, *two(make, evidence, rule=BREAK_GLASS))
    assert decision.allowed
    assert decision.break_glass
    assert {"delta_sharpe", "no_drift_breach", "shadow_agreement"} <= set(decision.waived)
    assert "*** GLASS BROKEN" in explain(decision)
    late = two(make, evidence, rule=BREAK_GLASS, granted_at=make.now - timedelta(hours=24))
    assert not asked(make, policy, evidence, *late).allowed


def test_a_policy_without_waivers_knows_none(make, policy):
    evidence = weak(make)
    strict = policy.model_copy(update={"waivers": None})
    assert not asked(make, strict, evidence, *two(make, evidence)).allowed


def test_what_passes_needs_no_waiver(make, policy):
    evidence = make.approved(make.evidence())
    assert asked(make, policy, evidence, *two(make, evidence)).waivers == ()


rules = st.sampled_from([*sorted(RULES), BREAK_GLASS])
grants = st.lists(
    st.tuples(st.sampled_from(["ann", "bob", "researcher", "learn-service"]), rules), max_size=6
)


@given(given_=grants)
def test_no_grants_pass_what_is_never_waived_and_none_turn_a_verdict(make, policy, given_):
    broken = weak(make, stored_sha256=None)
    plain = asked(make, policy, broken)
    decision = asked(make, policy, broken, *(grant(make, broken, by, rule=rule) for by, rule in given_))
    assert not decision.allowed
    assert decision.verdicts == plain.verdicts
    assert not set(decision.waived) & NEVER_WAIVED


def test_the_key_names_rule_and_signer(desk, make):
    evidence = desk.read()
    record = grant(make, evidence, "head-of-desk")
    key, text = waiver_tag("delta_sharpe", "head-of-desk"), desk.sign("waiver", record, by="head-of-desk")
    assert kind_of(key) == "waiver"
    assert desk.read(desk.tags | {key: text}).grants == (record,)
    assert evidence_hash(desk.read(desk.tags | {key: text})) == evidence_hash(evidence)
    for other in (waiver_tag("max_drawdown", "head-of-desk"), waiver_tag("delta_sharpe", "model-risk")):
        assert len(desk.read(desk.tags | {other: text}).faults) == 1
