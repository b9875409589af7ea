"""Checkpoints that the store writes after a promotion, and what happens when it cannot."""

from __future__ import annotations

import contextlib
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from mlflow.entities.model_registry import RegisteredModelTag  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.records import Role
from ordinis_learn.settings import load_settings
from ordinis_learn.use_cases.diagnose_checkpoints import checkpoint_trouble
from ordinis_learn.workbench import WITNESS_IDENTITY
from ordinis_registry import FileTarget, SqlLedger
from ordinis_registry.checkpoint_targets import parse_target
from ordinis_registry.looking import look_at


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
    found, step = checkpoint_trouble(desk.settings, look_at(desk.url))
    assert "gone" in found
    assert "git repository" in step


def test_a_target_that_is_gone_stops_promotions_where_one_is_required(desk, tmp_path):
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


@pytest.mark.parametrize("kind", ["file:{}/checkpoints.jsonl", "local://{}/objects"])
def test_servers_that_write_checkpoints_at_once_continue_each_others(desk, tmp_path, kind):
    from ordinis_mlflow._witness import Witness

    desk.add(WITNESS_IDENTITY, Role.WITNESS)
    text = kind.format(tmp_path / "audit")
    settings = load_settings(home=desk.home, ledger_checkpoint_target=text)
    target = parse_target(text, default=desk.settings.checkpoints_path)
    desk.register()

    def serve(number):
        witness = Witness(desk.url, settings=settings, clock=desk.clock)
        for _ in range(4):
            desk.store.set_registered_model_tag("sp500_signal", RegisteredModelTag(f"n{number}", "x"))
            with contextlib.suppress(MlflowException):
                desk.store.set_registered_model_alias("sp500_signal", "active", "1")  # a record
            witness.note()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(serve, range(4)))
    book = SqlLedger(desk.database, checkpoints=target, clock=desk.clock)
    assert book.verify() == []
    failed = [record.body for record in desk.ledger.history("*") if record.action == "checkpoint.failed"]
    assert [body["found"] for body in failed if "another writer" not in body["found"]] == []
    assert len(target.lines()) == 16 - len(failed)
    assert len(target.lines()) >= 8


def test_a_folder_that_is_gone_is_said_by_doctor(desk, tmp_path):
    desk.add(WITNESS_IDENTITY, Role.WITNESS)
    place = tmp_path / "mounted" / "audit"
    opened(desk, ledger_checkpoint_target=f"file:{place / 'checkpoints.jsonl'}")
    desk.promote(desk.register())
    shutil.rmtree(place)
    place.parent.rmdir()
    place.parent.write_text("the mount is gone")
    assert desk.store.roll_back("sp500_signal", reason="drill") is None
    registry = desk.home / "registry_db" / "ordinis.db"
    registry.parent.mkdir()
    registry.symlink_to(desk.home / "ordinis.db")
    found, step = checkpoint_trouble(desk.settings, look_at(desk.url))
    assert "none could be written" in found
    assert step == "give a file in a folder that can be written"
