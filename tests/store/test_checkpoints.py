"""Checkpoints that the store writes after a promotion, and what happens when it cannot."""

from __future__ import annotations

import pytest

from ordinis_learn.records import Role
from ordinis_learn.settings import load_settings
from ordinis_learn.use_cases.diagnose_checkpoints import checkpoint_trouble
from ordinis_learn.workbench import WITNESS_IDENTITY
from ordinis_registry import FileTarget, SqlLedger


def opened(desk, **changes):
    """Let the store read other settings."""
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    desk.store.engine.dispose()
    desk.settings = load_settings(home=desk.home, **changes)
    desk.store = OrdinisSqlAlchemyStore(desk.url, settings=desk.settings, clock=desk.clock)


def lines(desk):
    return FileTarget(desk.settings.checkpoints_path).lines()


def test_promotions_and_rollbacks_leave_signed_checkpoints(desk):
    desk.add(WITNESS_IDENTITY, Role.WITNESS)
    desk.promote(desk.register())
    assert len(lines(desk)) == 2  # SHADOW, ACTIVE
    desk.store.roll_back("sp500_signal", reason="drift")
    assert len(lines(desk)) == 3
    book = SqlLedger(desk.database, checkpoints=FileTarget(desk.settings.checkpoints_path), clock=desk.clock)
    assert book.verify() == []


def test_without_a_witness_none_is_written(desk):
    desk.promote(desk.register())
    assert not desk.settings.checkpoints_path.exists()


def test_a_target_that_is_gone_is_recorded_and_stops_nothing(desk, tmp_path):
    desk.add(WITNESS_IDENTITY, Role.WITNESS)
    opened(desk, ledger_checkpoint_target=f"git:{tmp_path / 'gone'}")
    version = desk.register()
    desk.promote(version)
    assert desk.active() == version
    failed = [record for record in desk.ledger.history("*") if record.action == "checkpoint.failed"]
    assert len(failed) == 2
    assert "gone" in failed[0].body["found"]
    place = desk.home / "registry_db" / "ordinis.db"
    place.parent.mkdir()
    place.symlink_to(desk.home / "ordinis.db")
    found, step = checkpoint_trouble(desk.settings)
    assert "gone" in found
    assert "git repository" in step


def test_a_target_that_is_gone_stops_promotions_where_one_is_required(desk, tmp_path):
    from mlflow.exceptions import MlflowException

    desk.add(WITNESS_IDENTITY, Role.WITNESS)
    first, second = desk.register(), desk.register()
    desk.promote(first)
    desk.attest(second)
    opened(desk, ledger_checkpoint_target=f"git:{tmp_path / 'gone'}", ledger_checkpoint_required=True)
    with pytest.raises(MlflowException, match="E_GOV_AUDIT_WRITE_FAILED") as caught:
        desk.move(second, "shadow")
    assert caught.value.get_http_status_code() == 403
    assert desk.state(second) == "CANDIDATE"
    assert desk.store.roll_back("sp500_signal", reason="going back waits for nobody") is None
    assert desk.active() is None
