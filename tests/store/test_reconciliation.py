"""What somebody did with the triggers out of the way is found, recorded once, announced and put back."""

from __future__ import annotations

import contextlib
import threading

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.cli import main
from ordinis_learn.rollout.states import MLFLOW_STAGES
from ordinis_registry.pointers import Pointers
from ordinis_registry.reconciliation import Shown, compare, expected_state
from ordinis_registry.triggers import TRIGGERS

MODEL = "sp500_signal"


@contextlib.contextmanager
def as_dba(desk):
    """Drop every trigger, as somebody with all rights can, and yield a connection."""
    with desk.store.engine.begin() as connection:
        for trigger in TRIGGERS:
            table = f" ON {trigger.table}" if desk.url.startswith("postgresql") else ""
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger.name}{table}")
        yield connection


@pytest.fixture
def governed(any_desk):
    first, second = any_desk.register(), any_desk.register()
    any_desk.promote(first)
    any_desk.promote(second)
    any_desk.register()
    return any_desk


def kinds(found):
    return {(one.version, one.kind) for one in found if one.kind != "triggers"}


TAMPERING = {
    "stage": ("UPDATE model_versions SET current_stage = 'Production' WHERE version = 3", ("3", "stage")),
    "demoted": ("UPDATE model_versions SET current_stage = 'Archived' WHERE version = 2", ("2", "stage")),
    "alias moved": (
        "UPDATE registered_model_aliases SET version = 3 WHERE alias = 'active'",
        (None, "alias"),
    ),
    "alias gone": ("DELETE FROM registered_model_aliases WHERE alias = 'last_known_good'", (None, "alias")),
    "alias in capitals": (
        f"INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES ('default', '{MODEL}', 'ACTIVE', 3)",
        (None, "alias"),
    ),
    "state tag": (
        "UPDATE model_version_tags SET value = 'ACTIVE' WHERE key = 'ordinis.state' AND version = 3",
        ("3", "state_tag"),
    ),
    "digest tag": (
        "UPDATE model_version_tags SET value = 'f00' WHERE key = 'ordinis.artifact_sha256' AND version = 3",
        ("3", "digest_tag"),
    ),
}


def test_every_kind_of_tampering_is_named_recorded_once_and_put_back(governed):
    assert governed.store.reconcile() == []
    before = governed.ledger.history(MODEL)
    for what, (statement, expected) in TAMPERING.items():
        with as_dba(governed) as connection:
            connection.exec_driver_sql(statement)
        found = governed.store.reconcile()
        assert expected in kinds(found), what
        assert all(one.next_step for one in found)
        governed.store.reconcile()
        governed.store.reconcile(repair=True)
        assert kinds(governed.store.reconcile()) == set(), what
        new = [record.action for record in governed.ledger.history(MODEL)[len(before) :]]
        assert new == ["registry.disagreed", "registry.repaired"], what
        before = governed.ledger.history(MODEL)
    alerts = [e for e in governed.catalogue.pending_events() if e["topic"] == "ordinis.learn.registry.alert"]
    assert len(alerts) == len(TAMPERING)
    assert alerts[0]["payload"]["payload"]["found"]
    assert governed.ledger.verify() == []
    assert governed.aliases() == {"active": "2", "last_known_good": "1"}


def test_a_disagreement_that_went_away_by_itself_is_said_to_be_over(desk):
    version = desk.register()
    desk.promote(version)
    file = desk.address(version) / "MLmodel"
    text = file.read_text()
    file.write_text("changed")
    (one,) = desk.store.reconcile(repair=True)
    assert (one.version, one.kind, one.found) == (
        version,
        "artifact",
        "its bytes are not what was registered",
    )
    assert one.next_step.startswith(f"ordinis-learn rollback {MODEL}")
    file.write_text(text)
    assert desk.store.reconcile() == []
    assert desk.actions()[-1] == "registry.agreed"
    file.unlink()
    (file.parent / "data" / "bundle" / "model.json").unlink()
    assert [one.found for one in desk.store.reconcile()] == ["its bytes cannot be read"]


def test_a_retired_artifact_may_be_pruned(desk):
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.move(version, "retired")
    for file in (desk.address(version)).rglob("*.*"):
        file.unlink()
    (desk.address(version) / "MLmodel").unlink()
    assert desk.store.reconcile() == []


def test_a_version_in_use_that_the_ledger_never_saw_is_named(desk):
    with as_dba(desk) as connection:
        connection.exec_driver_sql(
            "INSERT INTO registered_models (workspace, name) VALUES ('default', 'stranger')"
        )
        connection.exec_driver_sql(
            "INSERT INTO model_versions (workspace, name, version, current_stage) "
            "VALUES ('default', 'stranger', 1, 'Production')"
        )
    found = desk.store.reconcile()
    assert ("1", "unrecorded") in kinds(found)
    assert any(one.kind == "triggers" for one in found)


def test_doctor_and_the_command_name_what_to_type(desk):
    version = desk.register()
    path = desk.home / "registry_db" / "ordinis.db"
    path.parent.mkdir()
    with sa.create_engine(f"sqlite:///{path}").connect() as target, desk.store.engine.connect() as source:
        source.connection.driver_connection.backup(target.connection.driver_connection)
    runner, home = CliRunner(), ["--home", str(desk.home)]
    healthy = runner.invoke(main, [*home, "doctor"])
    assert "ledger, stages, aliases, tags and bytes agree" in healthy.output
    with sa.create_engine(f"sqlite:///{path}").begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ordinis_model_versions_update")
        connection.exec_driver_sql(
            f"UPDATE model_versions SET current_stage = 'Production' WHERE version = {version}"
        )
    ill = runner.invoke(main, [*home, "doctor"])
    assert ill.exit_code == 1
    assert "its stage is Production, the ledger says neither" in ill.output
    assert "ordinis-learn ledger reconcile --repair" in ill.output
    said = runner.invoke(main, [*home, "ledger", "reconcile"])
    assert said.exit_code == 1
    assert "next: ordinis-learn ledger reconcile --repair" in said.output
    mended = runner.invoke(main, [*home, "ledger", "reconcile", "--repair"])
    assert mended.exit_code == 0, mended.output
    assert runner.invoke(main, [*home, "doctor"]).exit_code == 0


def test_a_server_looks_around_when_it_starts(desk, monkeypatch):
    from mlflow.server.constants import REGISTRY_STORE_URI_ENV_VAR

    from ordinis_mlflow import entry_points

    desk.promote(desk.register())
    with as_dba(desk) as connection:
        connection.exec_driver_sql("UPDATE model_versions SET current_stage = 'Archived'")
    assert entry_points.REGISTRY_URI == REGISTRY_STORE_URI_ENV_VAR
    monkeypatch.setenv(entry_points.REGISTRY_URI, f"ordinis+{desk.url}")
    entry_points.registry_store(f"ordinis+{desk.url}")
    for thread in threading.enumerate():
        if thread.name == "ordinis-reconcile":
            thread.join(timeout=60)
    assert desk.actions()[-1] == "registry.disagreed"
    assert desk.actions("*")[-1] == "triggers.mended"


moves = st.lists(
    st.tuples(st.sampled_from(["shadowed", "promoted", "retired", "rolled_back"]), st.sampled_from("12345")),
    max_size=12,
)


def after(history):
    known = Pointers()
    for move, version in history:
        if move == "rolled_back":
            known = known.rolled_back(to=known.last_known_good) if known.active else known
        else:
            known = getattr(known, move)(version)
    return known


def faithful(known):
    states = {version: expected_state(known, version) for version in "12345"}
    return Shown(
        stages={v: MLFLOW_STAGES[state] if state else "Archived" for v, state in states.items()},
        addresses=dict.fromkeys("12345", "/somewhere"),
        aliases={alias: version for alias, version in known.aliases.items() if version},
        states={v: state.value if state else "RETIRED" for v, state in states.items()},
        digests=dict.fromkeys("12345", "a" * 64),
    )


@given(moves, st.sampled_from("12345"), st.sampled_from([*MLFLOW_STAGES.values()]))
def test_what_follows_the_ledger_agrees_and_any_other_stage_in_use_does_not(history, version, stage):
    known = after(history)
    now = faithful(known)
    digests = dict.fromkeys("12345", "a" * 64)
    assert compare(MODEL, known, now, registered=digests, bytes_now=digests) == []
    changed = Shown(
        stages={**now.stages, version: stage},
        addresses=now.addresses,
        aliases=now.aliases,
        states=now.states,
        digests=now.digests,
    )
    found = compare(MODEL, known, changed, registered=digests, bytes_now=digests)
    same = MLFLOW_STAGES.get(expected_state(known, version)) == stage
    idle = expected_state(known, version) is None and stage in {"None", "Archived"}
    assert ("stage" in {one.kind for one in found}) == (not same and not idle)
