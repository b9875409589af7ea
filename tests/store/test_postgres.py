"""The same gate on PostgreSQL, where a database server is at hand."""

from __future__ import annotations

import threading

import pytest
from mlflow.exceptions import MlflowException  # noqa: TID253

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
