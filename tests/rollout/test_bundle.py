"""Recorded evidence gives the recorded decision."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ordinis_learn.records import Actor, GateDecision, State
from ordinis_learn.rollout import decide, evidence_hash
from ordinis_learn.rollout.bundle import EvidenceBundle, decide_again
from ordinis_learn.rollout.policy import Policy
from ordinis_learn.rollout.rules import RULES, Context

number = st.one_of(st.floats(allow_infinity=False), st.none())


@given(
    sharpe=number,
    drifted=st.booleans(),
    to_state=st.sampled_from(State),
    minutes=st.integers(0, 10**6),
    metrics=st.dictionaries(st.sampled_from(["auc", "loss"]), st.floats(-1, 1)),
)
@example(sharpe=-0.0, drifted=False, to_state=State.ACTIVE, minutes=0, metrics={})
def test_a_decision_survives_being_written_down(make, policy, sharpe, drifted, to_state, minutes, metrics):
    card = make.scorecard(metrics={"sharpe": sharpe, "max_drawdown": 0.2})
    evidence = make.approved(
        make.evidence(scorecards={make.pack: card}, drift_breached=drifted, run_metrics=metrics)
    )
    decision = decide(
        evidence,
        to_state=to_state,
        requester=make.requester,
        policy=policy,
        now=make.now + timedelta(minutes=minutes),
    )
    written = EvidenceBundle.of(evidence).canonical()
    read = EvidenceBundle.model_validate_json(written)
    assert read.canonical() == written
    assert evidence_hash(read.evidence()) == evidence_hash(evidence)
    kept = Policy.model_validate_json(policy.canonical())
    recorded = GateDecision.model_validate_json(decision.canonical())
    assert decide_again(read, kept, recorded).differing == ()


@pytest.mark.parametrize(("kind", "verdict"), [("authenticated", "pass"), ("claimed", "fail")])
def test_a_policy_may_hear_only_those_who_signed_in(make, kind, verdict):
    evidence = make.evidence()
    context = Context(
        evidence=evidence,
        evidence_hash=evidence_hash(evidence),
        packs=(),
        to_state=State.ACTIVE,
        requester=Actor(name="ann", kind=kind),
        now=make.now,
    )
    assert RULES["requester_kind"].verdict(context, {"kinds": ["authenticated"]}).verdict == verdict
