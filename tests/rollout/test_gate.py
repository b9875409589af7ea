import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ordinis_learn.errors import GateFailed, RolloutDenied
from ordinis_learn.records import Actor, Interval, ModelType, State
from ordinis_learn.rollout import (
    SHADOW_TAG,
    TRAINING_TAG,
    approval_tag,
    decide,
    evidence_hash,
    explain,
    scorecard_tag,
)


def ask(evidence, policy, make, *, to_state=State.ACTIVE, requester=None, now=None):
    return decide(
        evidence,
        to_state=to_state,
        requester=requester or make.requester,
        policy=policy,
        now=now or make.now,
    )


def first_model(make, **changes):
    """Evidence of a version that has no incumbent to beat, approved."""
    fields = {
        "incumbent": None,
        "scorecards": {
            make.pack: make.scorecard(
                baseline=None, baseline_metrics={}, differences={}, baseline_error_rate=None
            )
        },
        "shadow": make.shadow(active=None, paired_decisions=0, loss_difference=None, loss_interval=None),
    }
    return make.approved(make.evidence(**(fields | changes)))


def test_complete_evidence_is_allowed(desk, policy, make):
    decision = ask(desk.read(), policy, make)
    assert decision.allowed, explain(decision)
    assert (decision.code, decision.reasons, decision.rule_set) == ("", (), "default")
    assert decision.approvers == ("model-risk",)
    assert decision.policy_hash == policy.policy_hash
    assert decision.evidence_hash == evidence_hash(desk.read())


def test_without_an_incumbent_the_first_model_rules_are_used(policy, make):
    decision = ask(first_model(make), policy, make)
    assert decision.allowed, explain(decision)
    assert decision.rule_set == "first_model"
    assert {"sessions", "track_record", "sharpe_after_trials", "max_drawdown"} <= {
        verdict.rule for verdict in decision.verdicts
    }


def test_the_first_request_for_active_is_refused_with_every_reason(policy, make):
    evidence = first_model(make, shadow=None)
    decision = ask(dataclasses.replace(evidence, state=State.CANDIDATE, approvals=()), policy, make)
    assert decision.code == RolloutDenied.code
    reasons = {verdict.rule: verdict.verdict for verdict in decision.reasons}
    assert reasons["allowed_move"] == "fail"
    assert reasons["approvals"] == "fail"
    assert reasons["shadow_duration"] == "not_evaluable"


def test_shadow_asks_for_complete_evidence_and_no_edge(policy, make):
    weak = make.scorecard(metrics={"sharpe": 0.1, "max_drawdown": 0.5})
    evidence = make.evidence(state=State.CANDIDATE, shadow=None, scorecards={make.pack: weak})
    assert ask(evidence, policy, make, to_state=State.SHADOW).allowed
    for missing in (
        {"artifact": None},
        {"scorecards": {}},
        {"dataset": None},
        {"stored_sha256": None},
        {"faults": ("x",)},
    ):
        incomplete = dataclasses.replace(evidence, **missing)
        assert not ask(incomplete, policy, make, to_state=State.SHADOW).allowed


def test_a_retired_version_comes_back_through_the_gate_of_shadow(policy, make):
    evidence = make.evidence(state=State.RETIRED)
    assert ask(evidence, policy, make, to_state=State.SHADOW).allowed
    assert not ask(evidence, policy, make, to_state=State.ACTIVE).allowed
    assert not ask(dataclasses.replace(evidence, scorecards={}), policy, make, to_state=State.SHADOW).allowed


@pytest.mark.parametrize("state", [State.CANDIDATE, State.SHADOW, State.ACTIVE])
def test_retiring_asks_for_nothing(state, policy, make):
    bare = make.evidence(
        state=state, artifact=None, scorecards={}, shadow=None, stored_sha256=None, faults=("x",)
    )
    assert ask(bare, policy, make, to_state=State.RETIRED).allowed


@pytest.mark.parametrize("to_state", [State.CANDIDATE, State.SHADOW, State.ACTIVE])
def test_active_goes_nowhere_but_into_retirement(to_state, policy, make):
    assert not ask(make.approved(make.evidence(state=State.ACTIVE)), policy, make, to_state=to_state).allowed


@pytest.mark.parametrize("model_type", [ModelType.PROMPT_PACK, ModelType.EMBED_MODEL])
@pytest.mark.parametrize("to_state", [State.SHADOW, State.ACTIVE])
def test_a_type_without_rules_is_not_promoted(model_type, to_state, policy, make):
    state = State.CANDIDATE if to_state is State.SHADOW else State.SHADOW
    evidence = make.approved(make.evidence(state=state, artifact=make.artifact(model_type=model_type)))
    signals = policy.model_copy(update={"rules": {"signal_model": policy.rules[ModelType.SIGNAL_MODEL]}})
    decision = ask(evidence, signals, make, to_state=to_state)
    assert [verdict.rule for verdict in decision.reasons] == ["policy_covers"]


def test_the_same_request_gives_the_same_bytes(desk, policy, make):
    decision = ask(desk.read(), policy, make)
    again = ask(desk.read(dict(reversed(desk.tags.items()))), policy, make)
    assert again.canonical() == decision.canonical()


def test_deciding_changes_nothing(desk, policy, make):
    evidence, tags = desk.read(), dict(desk.tags)
    ask(evidence, policy, make)
    assert (evidence, desk.tags) == (desk.read(), tags)


def test_a_rule_that_breaks_closes_the_gate(policy, make):
    broken = make.approved(make.evidence())
    broken = dataclasses.replace(broken, faults=(3,))
    decision = ask(broken, policy, make)
    verdict = next(verdict for verdict in decision.verdicts if verdict.rule == "evidence_verified")
    assert (verdict.verdict, verdict.code) == ("not_evaluable", GateFailed.code)
    assert "TypeError" in verdict.found
    assert not decision.allowed


@pytest.mark.parametrize("name", ["model-risk", "Model-Risk", " model-risk "])
def test_the_requester_cannot_approve_their_own_request(name, desk, policy, make):
    decision = ask(desk.read(), policy, make, requester=Actor(name=name, kind="claimed"))
    assert [verdict.rule for verdict in decision.reasons] == ["approvals"]
    assert decision.approvers == ()


CHANGED = {
    "better scorecard": lambda make: {
        "scorecards": {make.pack: make.scorecard(metrics={"sharpe": 3.0, "max_drawdown": 0.1})}
    },
    "better shadow": lambda make: {
        "shadow": make.shadow(loss_interval=Interval(low=-0.9, high=-0.5, level=0.95))
    },
    "other seed": lambda make: {"artifact": make.artifact(seed=8)},
    "larger dataset": lambda make: {"dataset": make.manifest(rows=9000)},
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED.keys())
def test_an_approval_is_void_once_the_evidence_changes_even_for_the_better(change, policy, make):
    evidence = make.approved(make.evidence())
    assert ask(evidence, policy, make).allowed
    decision = ask(dataclasses.replace(evidence, **change(make)), policy, make)
    assert [verdict.rule for verdict in decision.reasons] == ["approvals"]
    assert "the evidence has changed since" in decision.reasons[0].found


FACTS = {
    "stored bytes gone": lambda _: {"stored_sha256": None},
    "stored bytes differ": lambda _: {"stored_sha256": "c" * 64},
    "other subject": lambda make: {"subject": make.subject.model_copy(update={"artifact_sha256": "c" * 64})},
    "candidate": lambda _: {"state": State.CANDIDATE},
    "active already": lambda _: {"state": State.ACTIVE},
    "retired": lambda _: {"state": State.RETIRED},
    "no dataset": lambda _: {"dataset": None},
    "other dataset": lambda make: {"dataset": make.manifest(content_sha256="e" * 64)},
    "no incumbent": lambda _: {"incumbent": None},
    "other incumbent": lambda make: {"incumbent": make.incumbent.model_copy(update={"version": "9"})},
    "drift": lambda _: {"drift_breached": True},
    "nobody trusted": lambda _: {"identities": []},
    "later": lambda make: {"now": make.now + timedelta(days=365)},
}


@pytest.mark.parametrize("change", FACTS.values(), ids=FACTS.keys())
def test_no_fact_can_change_and_keep_it_allowed(change, desk, policy, make):
    changes = change(make)
    evidence = desk.read(**changes)
    assert not ask(evidence, policy, make, now=changes.get("now")).allowed


@hypothesis_settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_piece_can_be_removed_or_altered_and_keep_it_allowed(desk, policy, make, data):
    tags = dict(desk.tags)
    key = data.draw(st.sampled_from(sorted(tags)))
    how = data.draw(st.sampled_from(["remove", "alter", "swap", "truncate", "revoke"]))
    identities = desk.identities
    if how == "remove":
        del tags[key]
    elif how == "alter":
        place = data.draw(st.integers(0, len(tags[key]) - 1))
        letter = data.draw(
            st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != tags[key][place])
        )
        tags[key] = tags[key][:place] + letter + tags[key][place + 1 :]
    elif how == "swap":
        tags[key] = tags[data.draw(st.sampled_from(sorted(set(tags) - {key})))]
    elif how == "truncate":
        tags[key] = tags[key][: data.draw(st.integers(0, len(tags[key]) - 1))]
    else:
        signer = "model-risk" if key == approval_tag("model-risk") else "learn-service"
        revoked = {"revoked_at": make.now}
        identities = [i.model_copy(update=revoked) if i.name == signer else i for i in identities]
    assert ask(desk.read(), policy, make).allowed
    assert not ask(desk.read(tags, identities=identities), policy, make).allowed


RESIGNED = {
    "training": lambda make: (TRAINING_TAG, make.artifact(trials=1)),
    "scorecard": lambda make: (scorecard_tag(make.pack), make.scorecard(deflated_sharpe=0.999)),
    "shadow": lambda make: (SHADOW_TAG, make.shadow(errors=0, sessions=249)),
}


@pytest.mark.parametrize("kind", RESIGNED)
def test_a_record_signed_anew_needs_a_new_approval(kind, desk, policy, make):
    key, record = RESIGNED[kind](make)
    evidence = desk.read(desk.tags | {key: desk.sign(kind, record)})
    assert evidence.faults == ()
    assert "approvals" in {verdict.rule for verdict in ask(evidence, policy, make).reasons}


def test_a_refusal_and_an_explanation_read_well(policy, make):
    decision = ask(make.evidence(), policy, make)
    lines = explain(decision).splitlines()
    assert lines[0] == (
        "E_LEARN_ROLLOUT_DENIED: sp500_signal 2, SHADOW to ACTIVE (policy gov_v3, rules default)"
    )
    assert lines[1] == "  FAIL          approvals [E_LEARN_APPROVAL_MISSING]"
    assert lines[4] == (
        "    next:  let an approver run: ordinis-learn approve sp500_signal 2 --as NAME --target active"
    )
    assert lines[-1].startswith("  PASS          allowed_move, artifact_intact")


def test_an_allowed_decision_is_explained_too(desk, policy, make):
    assert explain(ask(desk.read(), policy, make)).startswith("allowed: sp500_signal 2, SHADOW to ACTIVE")
