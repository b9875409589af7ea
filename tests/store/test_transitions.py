"""States through MLflow's own call: what is refused, what is allowed, and what is recorded."""

from __future__ import annotations

import json
import threading

import pytest
from mlflow.exceptions import MlflowException  # noqa: TID253

MODEL = "sp500_signal"


def refused(call, code="E_LEARN_ROLLOUT_DENIED"):
    with pytest.raises(MlflowException) as caught:
        call()
    assert caught.value.error_code == "PERMISSION_DENIED"
    assert caught.value.get_http_status_code() == 403
    assert str(caught.value.message).startswith(code)
    return caught.value


def test_a_new_version_is_a_candidate_with_its_digest(desk):
    version = desk.register()
    entity = desk.store.get_model_version(MODEL, version)
    assert entity.current_stage == "None"
    assert entity.tags["ordinis.state"] == "CANDIDATE"
    assert entity.tags["ordinis.artifact_sha256"] == desk.reference(version).artifact_sha256
    assert desk.actions() == ["model.created", "version.registered"]


def test_a_candidate_without_evidence_is_refused_with_every_reason_and_recorded(desk):
    version = desk.register()
    error = refused(lambda: desk.move(version, "shadow"))
    assert "artifact_intact" in error.message
    assert "E_LEARN_GATE_FAILED" in error.message
    assert json.loads(error.serialize_as_json())["decision"]["allowed"] is False
    assert desk.state(version) == "CANDIDATE"
    assert desk.actions()[-1] == "rollout.denied"
    assert desk.ledger.verify() == []


def test_the_first_model_needs_shadow_and_another_persons_yes(desk):
    version = desk.register()
    desk.attest(version)
    assert desk.move(version, "Shadow").current_stage == "Staging"
    assert desk.aliases() == {"shadow": version}
    error = refused(lambda: desk.move(version, "active"))
    assert "E_LEARN_APPROVAL_MISSING" in error.message
    desk.approve(version)
    entity = desk.move(version, "ACTIVE")
    assert entity.current_stage == "Production"
    assert entity.tags["ordinis.state"] == "ACTIVE"
    assert json.loads(entity.tags["ordinis.decision"])["rule_set"] == "first_model"
    assert desk.aliases() == {"active": version}


def test_a_successor_retires_the_active_version_and_keeps_it_as_last_known_good(desk):
    first, second = desk.register(), desk.register()
    desk.promote(first)
    desk.promote(second)
    assert desk.aliases() == {"active": second, "last_known_good": first}
    assert desk.state(first) == "RETIRED"
    assert desk.store.get_model_version(MODEL, first).current_stage == "Archived"
    assert [v.version for v in desk.store.get_latest_versions(MODEL, ["active"])] == [int(second)]


def test_an_approval_is_void_when_the_evidence_changes(desk):
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    desk.clock.advance(minutes=1)
    desk.attest(version)
    error = refused(lambda: desk.move(version, "active"))
    assert "the evidence has changed since" in error.message


def test_the_requester_cannot_approve_their_own_request(desk, monkeypatch):
    monkeypatch.setenv("ORDINIS_ACTOR", "model-risk")
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    error = refused(lambda: desk.move(version, "active"))
    assert "the requester may not approve" in error.message
    assert desk.ledger.history(MODEL)[-1].actor.model_dump() == {"name": "model-risk", "kind": "claimed"}


def test_changed_bytes_close_the_gate(desk):
    version = desk.register()
    desk.attest(version)
    (desk.address(version) / "MLmodel").write_text("changed")
    error = refused(lambda: desk.move(version, "shadow"))
    assert "artifact_intact" in error.message


def test_unreadable_bytes_close_the_gate(desk):
    version = desk.register()
    desk.attest(version)
    (desk.home / "models").rename(desk.home / "elsewhere")
    error = refused(lambda: desk.move(version, "shadow"))
    assert "cannot be read" in error.message
    assert desk.state(version) == "CANDIDATE"


def test_a_candidate_cannot_jump_to_active(desk):
    version = desk.register()
    desk.attest(version)
    error = refused(lambda: desk.move(version, "Production"))
    assert "allowed_move" in error.message


def test_retiring_asks_nobody_and_leaves_the_model_flat(desk):
    version = desk.register()
    desk.promote(version)
    assert desk.move(version, "retired").current_stage == "Archived"
    assert desk.aliases() == {}
    assert desk.ledger.active_at(MODEL, desk.clock()) is None


def test_an_unknown_stage_is_bad_input(desk):
    version = desk.register()
    with pytest.raises(MlflowException, match="E_CFG_INVALID") as caught:
        desk.move(version, "champion")
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_shadow_alone_retires_the_others_in_shadow(desk):
    first, second = desk.register(), desk.register()
    for version in (first, second):
        desk.attest(version)
    desk.move(first, "shadow")
    desk.move(second, "shadow", alone=True)
    assert desk.state(first) == "RETIRED"
    assert desk.aliases() == {"shadow": second}


def test_a_missing_policy_closes_the_gate(desk):
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    version = desk.register()
    desk.attest(version)
    store = OrdinisSqlAlchemyStore(desk.url, settings=desk.settings, clock=desk.clock, policy_id="desk_v9")
    error = refused(lambda: store.transition_model_version_stage(MODEL, version, "shadow", False))
    assert "E_GOV_POLICY_MISSING" in error.message
    assert desk.state(version) == "CANDIDATE"
    store.engine.dispose()


def test_what_was_active_when(desk):
    first, second = desk.register(), desk.register()
    before = desk.clock()
    desk.clock.advance(hours=1)
    desk.promote(first)
    between = desk.clock.advance(hours=1)
    desk.clock.advance(hours=1)
    desk.promote(second)
    after = desk.clock.advance(hours=1)
    assert [desk.ledger.active_at(MODEL, t) for t in (before, between, after)] == [None, first, second]


def test_every_allowed_rollout_is_told_once(desk):
    version = desk.register()
    desk.promote(version)
    told = [e for e in desk.catalogue.pending_events() if e["topic"] == "ordinis.learn.rollout.completed"]
    assert [e["payload"]["payload"]["to_state"] for e in told] == ["SHADOW", "ACTIVE"]
    newest = desk.ledger.history(MODEL)[-1]
    assert told[-1]["payload"]["payload"]["ledger"]["hash"] == newest.hash


def test_the_policy_is_kept_under_its_hash(desk):
    from ordinis_learn.rollout import load_policy
    from ordinis_registry.policies import policy_document

    version = desk.register()
    refused(lambda: desk.move(version, "shadow"))
    policy = load_policy(settings=desk.settings)
    with desk.database.reading() as session:
        assert policy_document(session, policy.policy_hash) == policy.canonical().decode()


def test_two_who_promote_at_once_leave_one_active(desk):
    versions = [desk.register(), desk.register()]
    for version in versions:
        desk.attest(version)
        desk.move(version, "shadow")
        desk.approve(version)
    start = threading.Barrier(2)
    outcomes = {}

    def promote(version):
        start.wait()
        try:
            desk.move(version, "active")
            outcomes[version] = "allowed"
        except MlflowException as error:
            outcomes[version] = error.error_code

    threads = [threading.Thread(target=promote, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The loser was compared with nothing; now there is something to compare with.
    assert sorted(outcomes.values()) == ["PERMISSION_DENIED", "allowed"]
    stages = [desk.store.get_model_version(MODEL, v).current_stage for v in versions]
    assert sorted(stages) == ["Production", "Staging"]
    assert desk.ledger.verify() == []


def test_when_the_ledger_cannot_be_written_nothing_changes(desk):
    version = desk.register()
    desk.attest(version)
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full_disk BEFORE INSERT ON governance_ledger "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    refused(lambda: desk.move(version, "shadow"), code="E_GOV_AUDIT_WRITE_FAILED")
    refused(lambda: desk.move(version, "retired"), code="E_GOV_AUDIT_WRITE_FAILED")
    assert desk.store.get_model_version(MODEL, version).current_stage == "None"
    assert desk.state(version) == "CANDIDATE"
    assert desk.aliases() == {}
    assert desk.catalogue.pending_events() == []


def test_a_stage_changed_behind_the_store_closes_the_gate(desk):
    version = desk.register()
    desk.promote(version)
    other = desk.register()
    desk.attest(other)
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ordinis_model_versions_update")  # as a DBA could
        connection.exec_driver_sql(
            "UPDATE model_versions SET current_stage='Staging' WHERE version=?", (int(other),)
        )
    error = refused(lambda: desk.move(other, "active"))
    assert "E_AUDIT_CHAIN_BROKEN" in error.message
    assert desk.move(other, "retired").current_stage == "Archived"
    assert desk.active() == version


def test_versions_from_before_the_ledger_are_taken_as_their_stages_say(make_desk, tmp_path):
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    plain = SqlAlchemyStore(f"sqlite:///{tmp_path / 'old.db'}")
    plain.create_registered_model(MODEL)
    folder = tmp_path / "old_model"
    folder.mkdir()
    (folder / "MLmodel").write_text("old")
    plain.create_model_version(MODEL, str(folder))
    plain.transition_model_version_stage(MODEL, "1", "Production", False)
    plain.set_registered_model_alias(MODEL, "active", "1")
    plain.engine.dispose()
    desk = make_desk(url=f"sqlite:///{tmp_path / 'old.db'}")
    second = desk.register()
    desk.promote(second)
    assert desk.aliases() == {"active": second, "last_known_good": "1"}
