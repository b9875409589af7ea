"""Rotation, revocation and waivers, as the store sees them."""

from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.records import Actor, Role, WaiverGrant
from ordinis_learn.rollout import scorecard_tag
from ordinis_learn.rollout.tags import waiver_tag

MODEL = "sp500_signal"
PACK = "bench_core_v1"

ADMIN = Actor(name="admin", kind="claimed")


def rotate(desk, name):
    (current,) = [one for one in desk.book.identities() if one.name == name and one.signs]
    desk.keys.rotate(name)
    successor = desk.keys.identity(name, roles=current.roles, groups=current.groups, clock=desk.clock)
    return desk.book.rotate(successor, actor=ADMIN, reason="yearly")


def test_what_a_rotated_key_signed_before_still_promotes(desk):
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    desk.clock.advance(minutes=1)
    rotate(desk, "learn-service")
    rotate(desk, "model-risk")
    desk.move(version, "active")
    assert desk.active() == version


def test_a_rotated_key_cannot_answer_any_more(desk):
    version = desk.register()
    desk.attest(version)
    record = desk.approval(version)
    old = desk.sign("approval", record, by="model-risk")
    desk.clock.advance(minutes=1)
    rotate(desk, "model-risk")
    with pytest.raises(MlflowException, match="retired"):
        desk.tag(version, "ordinis.approval.model-risk", old)


def test_a_revoked_approver_does_not_block_for_ever(desk):

    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    desk.book.revoke("model-risk", actor=ADMIN, reason="left the desk")
    with pytest.raises(MlflowException, match="the approval of model-risk is void"):
        desk.move(version, "active")
    desk.add("head-of-risk", Role.APPROVER)
    desk.approve(version, by="head-of-risk")
    desk.move(version, "active")
    assert desk.active() == version


def test_a_waiver_of_two_lets_one_rule_pass_and_is_in_the_ledger(desk):
    first, second = desk.register(), desk.register()
    desk.promote(first)
    desk.add("head-of-desk", Role.APPROVER)
    desk.attest(second)
    weak = desk.scorecard(second, baseline=first, metrics={"sharpe": 0.76, "max_drawdown": 0.2})
    desk.tag(second, scorecard_tag(PACK), desk.sign("scorecard", weak))
    desk.move(second, "shadow")
    desk.approve(second)
    with pytest.raises(MlflowException, match="delta_sharpe"):
        desk.move(second, "active")
    waive(desk, second, by="model-risk")
    with pytest.raises(MlflowException, match="1 of 2 signatures"):
        desk.move(second, "active")
    waive(desk, second, by="head-of-desk")
    desk.move(second, "active")
    assert desk.active() == second
    history = desk.ledger.history(MODEL)
    assert [record.action for record in history].count("waiver.granted") == 2
    decision = history[-1].body["decision"]
    assert decision["waived"] == ["delta_sharpe"]
    assert decision["waivers"][0]["granted_by"] == ["head-of-desk", "model-risk"]


def waive(desk, version, *, by):
    seen = desk.approval(version)
    grant = WaiverGrant(
        subject=seen.subject,
        target=seen.target,
        rule="delta_sharpe",
        reason="index change",
        compensating_control="half the size",
        evidence_hash=seen.evidence_hash,
        granted_by=by,
        granted_at=desk.clock(),
        expires_at=seen.expires_at,
    )
    desk.tag(version, waiver_tag(grant.rule, by), desk.sign("waiver", grant, by=by))
