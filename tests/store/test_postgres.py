"""The same gate on PostgreSQL, where a database server is at hand."""

from __future__ import annotations

import threading

import pytest
from mlflow.exceptions import MlflowException  # noqa: TID253
from sqlalchemy.exc import SQLAlchemyError

from ordinis_learn.errors import LearnError
from ordinis_registry.policies import keep_policy, policy_document

MODEL = "sp500_signal"


def test_promotion_rollback_and_ledger(postgres, make_desk):
    desk = make_desk(url=postgres)
    assert desk.database.differences() == []
    first, second = desk.register(), desk.register()
    with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
        desk.move(first, "shadow")
    desk.promote(first)
    desk.promote(second)
    with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
        desk.store.delete_model_version(MODEL, first)
    assert desk.store.roll_back(MODEL, reason="drill") == first
    assert desk.aliases() == {"active": first}
    assert desk.ledger.verify() == []
    assert desk.ledger.active_at(MODEL, desk.clock()) == first

    third, fourth = desk.register(), desk.register()
    for version in (third, fourth):
        desk.attest(version)
        desk.move(version, "shadow")
        desk.approve(version)
    start, outcomes = threading.Barrier(2), []

    def promote(version):
        start.wait()
        try:
            outcomes.append(desk.move(version, "active").version)
        except MlflowException as error:
            outcomes.append(error.error_code)

    threads = [threading.Thread(target=promote, args=(version,)) for version in (third, fourth)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("PERMISSION_DENIED") == 1
    stages = [desk.store.get_model_version(MODEL, v).current_stage for v in (first, third, fourth)]
    assert stages.count("Production") == 1
    assert desk.ledger.verify() == []


def test_two_who_use_a_policy_for_the_first_time_at_once_both_may(postgres, make_desk):
    desk = make_desk(url=postgres)
    row = {"policy_id": "gov_x", "policy_hash": "a" * 64, "at": desk.clock()}
    reached, go_on, failures = threading.Event(), threading.Event(), []

    def first():
        with desk.database.session() as session:
            keep_policy(session, {"policy_id": "gov_x"}, **row)
            reached.set()
            go_on.wait(timeout=30)

    def second():
        reached.wait(timeout=30)
        try:
            with desk.database.session() as session:
                threading.Timer(0.5, go_on.set).start()
                keep_policy(session, {"policy_id": "gov_x"}, **row)
        except LearnError as error:
            failures.append(error)
        except SQLAlchemyError as error:
            failures.append(error)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with desk.database.reading() as session:
        assert policy_document(session, "a" * 64) == '{"policy_id":"gov_x"}'
