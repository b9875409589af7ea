"""Rotation and revocation, as the gate sees them."""

from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.records import Actor

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
    from ordinis_learn.records import Role

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
