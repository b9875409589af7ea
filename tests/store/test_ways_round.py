"""Aliases, tags, deletion, renaming and copying: each way round the stage call is closed and recorded."""

from __future__ import annotations

from datetime import timedelta

import pytest
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.records import Role, State
from ordinis_learn.rollout import SHADOW_TAG, TRAINING_TAG, approval_tag, scorecard_tag

MODEL = "sp500_signal"
PACK = "bench_core_v1"


def refused(call, code="E_LEARN_ROLLOUT_DENIED"):
    with pytest.raises(MlflowException) as caught:
        call()
    assert caught.value.error_code == "PERMISSION_DENIED", caught.value
    assert str(caught.value.message).startswith(code)
    return caught.value


@pytest.mark.parametrize("alias", ["active", "Active", "ACTIVE", "shadow", "last_known_good", "ａctive"])
def test_a_governed_alias_cannot_be_set_or_deleted(desk, alias):
    version = desk.register()
    if alias.isascii():
        refused(lambda: desk.store.set_registered_model_alias(MODEL, alias, version))
        assert desk.actions()[-1] == "alias.refused"
        refused(lambda: desk.store.delete_registered_model_alias(MODEL, alias))
    else:
        with pytest.raises(MlflowException):
            desk.store.set_registered_model_alias(MODEL, alias, version)
    assert desk.aliases() == {}


def test_other_aliases_are_free(desk):
    version = desk.register()
    desk.store.set_registered_model_alias(MODEL, "champion", version)
    assert desk.aliases() == {"champion": version}
    desk.store.delete_registered_model_alias(MODEL, "champion")
    assert desk.aliases() == {}


def test_the_active_alias_of_a_model_cannot_be_taken_away(desk):
    version = desk.register()
    desk.promote(version)
    refused(lambda: desk.store.delete_registered_model_alias(MODEL, "active"))
    assert desk.active() == version


def test_versions_in_use_cannot_be_deleted(desk):
    first, second, third = desk.register(), desk.register(), desk.register()
    desk.promote(first)
    desk.promote(second)
    desk.attest(third)
    desk.move(third, "shadow")
    for version, why in ((first, "last known good"), (second, "ACTIVE"), (third, "SHADOW")):
        assert why in refused(lambda v=version: desk.store.delete_model_version(MODEL, v)).message
        assert desk.actions()[-1] == "deletion.refused"
    refused(lambda: desk.store.delete_registered_model(MODEL))
    assert desk.aliases() == {"active": second, "last_known_good": first, "shadow": third}


def test_a_candidate_may_be_deleted(desk):
    version = desk.register()
    desk.store.delete_model_version(MODEL, version)
    assert desk.actions()[-1] == "version.deleted"
    with pytest.raises(MlflowException, match="not found"):
        desk.store.get_model_version(MODEL, version)


def test_going_flat_first_does_not_make_the_next_one_a_first_model(desk):
    first, second = desk.register(), desk.register()
    desk.promote(first)
    assert desk.store.roll_back(MODEL, reason="to get round the comparison") is None
    assert desk.active() is None
    # attest() compares with what is active: nothing. Evidence for a first model is not enough any more.
    desk.attest(second)
    desk.approve(second)
    message = refused(lambda: desk.move(second, "shadow")).message
    assert "scorecard_baseline_is_incumbent" in message
    refused(lambda: desk.store.delete_model_version(MODEL, first))
    refused(lambda: desk.store.delete_registered_model(MODEL))
    # Against what traded last it is judged as ever.
    desk.clock.advance(minutes=1)
    card = desk.scorecard(second, baseline=first)
    desk.tag(second, scorecard_tag(PACK), desk.sign("scorecard", card))
    desk.tag(second, SHADOW_TAG, desk.sign("shadow", desk.shadow(second, active=first)))
    desk.move(second, "shadow")
    desk.approve(second)
    desk.move(second, "active")
    assert desk.active() == second


def test_a_shadow_report_may_only_go_on(desk):
    version = desk.register()
    desk.attest(version)
    before = desk.shadow(version)
    for changes in ({"start": before.start + timedelta(days=5)}, {"end": before.end - timedelta(days=5)}):
        chosen = desk.sign("shadow", desk.shadow(version, **changes))
        assert (
            "was reported before"
            in refused(
                lambda text=chosen: desk.tag(version, SHADOW_TAG, text), "E_LEARN_EVIDENCE_INVALID"
            ).message
        )
    longer = desk.shadow(version, end=before.end + timedelta(hours=1))
    desk.tag(version, SHADOW_TAG, desk.sign("shadow", longer))
    assert desk.actions()[-1] == "evidence.submitted"


def test_the_version_that_traded_last_may_come_back_as_it_is(desk):
    version = desk.register()
    desk.promote(version)
    desk.store.roll_back(MODEL, reason="drill")
    desk.clock.advance(minutes=1)
    desk.promote(version)
    assert desk.active() == version


def test_a_model_that_never_traded_may_be_deleted_and_its_chain_stays(desk):
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.move(version, "archived")
    desk.store.delete_registered_model(MODEL)
    assert desk.actions()[-1] == "model.deleted"
    again = desk.register()
    assert again == "1"
    assert desk.ledger.verify() == []
    desk.promote(again)
    assert desk.aliases() == {"active": "1"}


def test_a_model_with_versions_keeps_its_name(desk):
    desk.register()
    refused(lambda: desk.store.rename_registered_model(MODEL, "other"))
    assert desk.actions()[-1] == "rename.refused"
    desk.store.create_registered_model("empty")
    assert desk.store.rename_registered_model("empty", "renamed").name == "renamed"


def test_a_copy_begins_as_a_candidate_without_evidence(desk):
    version = desk.register()
    desk.promote(version)
    original = desk.store.get_model_version(MODEL, version)
    copy = desk.store.copy_model_version(original, "another_signal")
    assert copy.current_stage == "None"
    assert set(copy.tags) == {"ordinis.state", "ordinis.artifact_sha256"}
    assert copy.tags["ordinis.state"] == "CANDIDATE"
    assert copy.tags["ordinis.artifact_sha256"] == original.tags["ordinis.artifact_sha256"]
    left = desk.ledger.history("another_signal")[-1].body["tags_left_behind"]
    assert TRAINING_TAG in left


def test_governed_tags_cannot_come_with_a_new_version_or_model(desk):
    desk.register()
    forged = [ModelVersionTag("ordinis.state", "ACTIVE")]
    refused(
        lambda: desk.store.create_model_version(MODEL, "models/x", tags=forged), "E_LEARN_EVIDENCE_INVALID"
    )
    forged = [RegisteredModelTag("Ordinis.Owner", "me")]
    refused(lambda: desk.store.create_registered_model("new", tags=forged), "E_LEARN_EVIDENCE_INVALID")
    assert not desk.store._exists("new")


@pytest.mark.parametrize(
    "key",
    [
        "ordinis.state",
        "ordinis.decision",
        "ordinis.gate.evidence_hash",
        "Ordinis.anything",
        "ordinis.evidence",
    ],
)
def test_the_namespace_takes_no_tags_but_statements(desk, key):
    version = desk.register()
    refused(lambda: desk.tag(version, key, "ACTIVE"), "E_LEARN_EVIDENCE_INVALID")
    assert desk.actions()[-1] == "evidence.refused"
    assert desk.state(version) == "CANDIDATE"


def test_statements_are_kept_with_who_signed_them(desk):
    version = desk.register()
    desk.attest(version)
    newest = desk.ledger.history(MODEL)[-1]
    assert newest.action == "evidence.submitted"
    assert newest.body["signer"] == "learn-service"
    assert newest.body["key"] == SHADOW_TAG
    tags = desk.store.get_model_version(MODEL, version).tags
    assert {TRAINING_TAG, SHADOW_TAG, scorecard_tag("bench_core_v1")} <= set(tags)


def test_a_statement_by_a_stranger_is_refused(desk):
    version = desk.register()
    desk.keys.create("stranger")
    artifact = desk.training(version)
    text = desk.sign("training", artifact, by="stranger", subject=desk.reference(version))
    refused(lambda: desk.tag(version, TRAINING_TAG, text), "E_LEARN_EVIDENCE_INVALID")


def test_a_statement_in_the_wrong_role_is_refused(desk):
    version = desk.register()
    desk.add("junior", Role.EVALUATOR)
    record = desk.approval(version, by="junior")
    refused(
        lambda: desk.tag(version, approval_tag("junior"), desk.sign("approval", record, by="junior")),
        "E_LEARN_EVIDENCE_INVALID",
    )


def test_a_statement_about_another_version_is_refused(desk):
    first, second = desk.register(), desk.register()
    card = desk.sign("scorecard", desk.scorecard(first))
    refused(lambda: desk.tag(second, scorecard_tag("bench_core_v1"), card), "E_LEARN_EVIDENCE_INVALID")


def test_an_old_approval_cannot_be_played_over_a_later_refusal(desk):
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    key = approval_tag("model-risk")
    approval = desk.sign("approval", desk.approval(version), by="model-risk")
    desk.tag(version, key, approval)
    desk.clock.advance(minutes=1)
    desk.approve(version, answer="refuse")
    assert desk.actions()[-1] == "approval.refused"
    error = refused(lambda: desk.tag(version, key, approval), "E_LEARN_EVIDENCE_INVALID")
    assert "older" in error.message
    assert "refused by model-risk" in refused(lambda: desk.move(version, "active")).message


def test_the_approval_of_a_revoked_key_does_not_count(desk):
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    desk.book.revoke("model-risk", actor=desk.ledger.history(MODEL)[0].actor, reason="left the desk")
    error = refused(lambda: desk.move(version, "active"))
    assert "revoked" in error.message


def test_evidence_cannot_be_deleted(desk):
    version = desk.register()
    desk.attest(version)
    refused(lambda: desk.store.delete_model_version_tag(MODEL, version, TRAINING_TAG))
    assert TRAINING_TAG in desk.store.get_model_version(MODEL, version).tags


def test_governed_tags_of_models_are_refused(desk):
    desk.register()
    tag = RegisteredModelTag("ordinis.owner", "me")
    refused(lambda: desk.store.set_registered_model_tag(MODEL, tag), "E_LEARN_EVIDENCE_INVALID")
    refused(lambda: desk.store.delete_registered_model_tag(MODEL, "ordinis.owner"))


def test_ordinary_tags_are_free(desk):
    version = desk.register()
    desk.tag(version, "team", "rates")
    desk.store.set_registered_model_tag(MODEL, RegisteredModelTag("team", "rates"))
    desk.store.delete_registered_model_tag(MODEL, "team")
    desk.store.delete_model_version_tag(MODEL, version, "team")
    assert "team" not in desk.store.get_model_version(MODEL, version).tags


def test_a_model_that_is_not_there_is_mlflows_error_and_starts_no_chain(desk):
    with pytest.raises(MlflowException) as caught:
        desk.store.set_registered_model_alias("nobody", "active", "1")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    with pytest.raises(MlflowException) as caught:
        desk.store.create_model_version("nobody", "models/x")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert desk.actions("nobody") == []


def test_a_name_that_is_taken_is_mlflows_error(desk):
    desk.register()
    with pytest.raises(MlflowException) as caught:
        desk.store.create_registered_model(MODEL)
    assert caught.value.error_code == "RESOURCE_ALREADY_EXISTS"


class TestRollback:
    def test_swaps_back_without_asking_and_is_recorded(self, desk):
        first, second = desk.register(), desk.register()
        desk.promote(first)
        desk.promote(second)
        assert desk.store.roll_back(MODEL, reason="drift in vol_20") == first
        assert desk.aliases() == {"active": first}
        assert [desk.state(v) for v in (first, second)] == ["ACTIVE", "RETIRED"]
        newest = desk.ledger.history(MODEL)[-1]
        assert (newest.action, newest.body["reason"]) == ("rolled_back", "drift in vol_20")
        topics = [e["topic"] for e in desk.catalogue.pending_events()]
        assert topics[-1] == "ordinis.learn.rollback.completed"

    def test_over_the_tag_that_any_client_can_set(self, desk):
        first, second = desk.register(), desk.register()
        desk.promote(first)
        desk.promote(second)
        tag = RegisteredModelTag("ordinis.request.rollback", "drift")
        desk.store.set_registered_model_tag(MODEL, tag)
        assert desk.active() == first
        assert "ordinis.request.rollback" not in desk.store.get_registered_model(MODEL).tags

    def test_the_same_request_twice_rolls_back_once(self, desk):
        versions = [desk.register() for _ in range(3)]
        for version in versions:
            desk.promote(version)
        for _ in range(2):
            assert desk.store.roll_back(MODEL, reason="x", from_version=versions[2]) == versions[1]
        assert desk.actions().count("rolled_back") == 1

    def test_goes_further_back_past_bytes_that_changed(self, desk):
        versions = [desk.register() for _ in range(3)]
        for version in versions:
            desk.promote(version)
        (desk.address(versions[1]) / "MLmodel").write_text("changed")
        assert desk.store.roll_back(MODEL, reason="x") == versions[0]
        unfit = desk.ledger.history(MODEL)[-1].body["unfit"]
        assert unfit == [{"version": versions[1], "why": "its bytes are not what was registered"}]

    def test_without_a_last_known_good_the_model_is_flat(self, desk):
        version = desk.register()
        desk.promote(version)
        assert desk.store.roll_back(MODEL, reason="x") is None
        assert desk.aliases() == {}
        assert desk.state(version) == State.RETIRED
        assert desk.store.roll_back(MODEL, reason="again") is None

    def test_needs_a_reason(self, desk):
        version = desk.register()
        desk.promote(version)
        with pytest.raises(MlflowException, match="no reason"):
            desk.store.set_registered_model_tag(MODEL, RegisteredModelTag("ordinis.request.rollback", " "))
        assert desk.active() == version


def test_models_outside_the_policy_stay_plain_mlflow(desk):
    from importlib import resources

    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    text = (resources.files("ordinis_learn.rollout") / "policies" / "gov_v1.yaml").read_text()
    narrow = text.replace("policy_id: gov_v1", "policy_id: desk_v1").replace(
        'names: ["*"]', 'names: ["sp500_*"]'
    )
    (desk.home / "policies").mkdir()
    (desk.home / "policies" / "desk_v1.yaml").write_text(narrow)
    version, other = desk.register(), desk.register(name="playground")
    store = OrdinisSqlAlchemyStore(desk.url, settings=desk.settings, clock=desk.clock, policy_id="desk_v1")
    refused(lambda: store.transition_model_version_stage(MODEL, version, "shadow", False))
    moved = store.transition_model_version_stage("playground", other, "active", False)
    assert moved.current_stage == "Production"
    store.set_registered_model_alias("playground", "active", other)
    store.delete_registered_model("playground")
    store.engine.dispose()
