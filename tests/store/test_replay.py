"""Every decision can be made again from what the ledger kept."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.rollout import load_policy
from ordinis_registry.models import EvidenceRow, PolicyRow


def outcomes(desk, policy=None):
    return [one.outcome for one in desk.ledger.replay(policy)]


def refused_then_allowed(desk):
    """Four decisions: an early no, SHADOW, ACTIVE, RETIRED."""
    version = desk.register()
    desk.attest(version)
    with pytest.raises(MlflowException):
        desk.move(version, "active")
    desk.clock.advance(minutes=1)
    desk.move(version, "shadow")
    desk.approve(version)
    desk.move(version, "active")
    desk.move(version, "retired")
    return version


def test_all_past_decisions_come_out_the_same(desk):
    refused_then_allowed(desk)
    assert outcomes(desk) == ["identical"] * 4


def test_evidence_is_kept_once_per_content(desk):
    version = desk.register()
    desk.attest(version)
    for _ in range(3):
        with pytest.raises(MlflowException):
            desk.move(version, "active")
    with desk.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(EvidenceRow)) == 1


@pytest.mark.parametrize("table", [EvidenceRow, PolicyRow])
def test_what_was_edited_afterwards_differs(desk, table):
    refused_then_allowed(desk)
    with desk.database.session() as session:
        for row in session.scalars(sa.select(table)):
            document = json.loads(row.record)
            if table is EvidenceRow:
                document["drift_breached"] = True
            else:
                document["packs"] = ["another_pack"]
            row.record = json.dumps(document)
    assert set(outcomes(desk)) == {"differs"}


def test_what_was_not_kept_is_said(desk):
    refused_then_allowed(desk)
    with desk.database.session() as session:
        session.execute(sa.delete(EvidenceRow))
    assert set(outcomes(desk)) == {"not_recorded"}


def test_another_policy_says_what_would_have_changed(desk):
    refused_then_allowed(desk)
    policy = load_policy(settings=desk.settings.model_copy(update={"learn_shadow_duration_days": 400}))
    changed = [one for one in desk.ledger.replay(policy) if one.outcome == "differs"]
    (one,) = changed
    assert (one.to_state, one.allowed, one.would_be_allowed) == ("ACTIVE", True, False)
    assert one.detail == "shadow_duration"
