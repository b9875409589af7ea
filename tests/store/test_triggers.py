"""A plain MLflow client and raw SQL on the governed database are refused, and say what to use instead."""

from __future__ import annotations

import sqlite3
from importlib import resources

import pytest
import sqlalchemy as sa
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore  # noqa: TID253

from ordinis_learn.records import Actor
from ordinis_registry.triggers import TRIGGERS, guard, missing_triggers

DESK = Actor(name="head-of-desk", kind="claimed")
MODEL = "sp500_signal"
VERSION = f"name = '{MODEL}' AND version = 1"
RAW = {
    "stage": f"UPDATE model_versions SET current_stage = 'Archived' WHERE {VERSION}",
    "source": f"UPDATE model_versions SET source = '/elsewhere' WHERE {VERSION}",
    "storage": f"UPDATE model_versions SET storage_location = '/elsewhere' WHERE {VERSION}",
    "run": f"UPDATE model_versions SET run_id = 'another' WHERE {VERSION}",
    "number": f"UPDATE model_versions SET version = 99 WHERE {VERSION}",
    "delete version": f"DELETE FROM model_versions WHERE {VERSION}",
    "insert active": "INSERT INTO model_versions (workspace, name, version, current_stage) "
    f"VALUES ('default', '{MODEL}', 50, 'Production')",
    "alias": "INSERT INTO registered_model_aliases (workspace, name, alias, version) "
    f"VALUES ('default', '{MODEL}', 'Active', 1)",
    "move alias": "UPDATE registered_model_aliases SET version = 2 WHERE alias = 'active'",
    "turn alias": "UPDATE registered_model_aliases SET alias = 'ACTIVE' WHERE alias = 'champion'",
    "drop alias": "DELETE FROM registered_model_aliases WHERE alias = 'active'",
    "state tag": f"UPDATE model_version_tags SET value = 'ACTIVE' WHERE key = 'ordinis.state' AND {VERSION}",
    "forged tag": "INSERT INTO model_version_tags (workspace, name, version, key, value) "
    f"VALUES ('default', '{MODEL}', 1, 'Ordinis.approval.me', '{{}}')",
    "drop tags": f"DELETE FROM model_version_tags WHERE key = 'ordinis.state' AND {VERSION}",
    "model tag": "INSERT INTO registered_model_tags (workspace, name, key, value) "
    f"VALUES ('default', '{MODEL}', 'ORDINIS.owner', 'me')",
    "rename": f"UPDATE registered_models SET name = 'other' WHERE name = '{MODEL}'",
    "delete model": f"DELETE FROM registered_models WHERE name = '{MODEL}'",
    "edit ledger": "UPDATE governance_ledger SET action = 'rollout.allowed' WHERE sequence = 1",
    "cut ledger": "DELETE FROM governance_ledger WHERE sequence > 1",
}


@pytest.fixture
def governed(any_desk):
    first = any_desk.register()
    any_desk.register()
    any_desk.promote(first)
    any_desk.store.set_registered_model_alias(MODEL, "champion", first)
    return any_desk


def everything(desk):
    tables = ("model_versions", "registered_models", "registered_model_aliases", "model_version_tags")
    with desk.store.engine.connect() as connection:
        return {t: sorted(map(str, connection.execute(sa.text(f"SELECT * FROM {t}")))) for t in tables}


def test_raw_sql_is_refused_and_changes_nothing(governed):
    before = everything(governed)
    for what, statement in RAW.items():
        with pytest.raises(sa.exc.DBAPIError) as caught, governed.store.engine.begin() as connection:
            connection.exec_driver_sql(statement)
        assert str(caught.value.orig).startswith("E_LEARN_ROLLOUT_DENIED: "), what
        assert " Next: " in str(caught.value.orig), what
    assert everything(governed) == before
    assert governed.ledger.verify() == []


def test_a_plain_client_is_refused_and_told_what_to_use(governed):
    plain = SqlAlchemyStore(governed.url)
    before = everything(governed)
    calls = (
        lambda: plain.transition_model_version_stage(MODEL, "2", "Production", False),
        lambda: plain.set_registered_model_alias(MODEL, "active", "2"),
        lambda: plain.delete_registered_model_alias(MODEL, "active"),
        lambda: plain.set_model_version_tag(MODEL, "2", ModelVersionTag("ordinis.state", "ACTIVE")),
        lambda: plain.set_registered_model_tag(MODEL, RegisteredModelTag("ordinis.owner", "me")),
        lambda: plain.delete_model_version(MODEL, "1"),
        lambda: plain.rename_registered_model(MODEL, "other"),
        lambda: plain.delete_registered_model(MODEL),
    )
    for call in calls:
        with pytest.raises(
            MlflowException, match=r"E_LEARN_ROLLOUT_DENIED.*MLFLOW_REGISTRY_URI=ordinis"
        ) as caught:
            call()
        # Neither is retried by a client. MLflow takes any refusal of a rename for a name that is taken.
        assert caught.value.error_code in {"BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"}
    assert everything(governed) == before


def test_what_is_not_governed_stays_free_for_a_plain_client(governed):
    plain = SqlAlchemyStore(governed.url)
    plain.set_registered_model_alias(MODEL, "challenger", "2")
    plain.delete_registered_model_alias(MODEL, "challenger")
    plain.set_model_version_tag(MODEL, "2", ModelVersionTag("team", "rates"))
    plain.delete_model_version_tag(MODEL, "2", "team")
    plain.update_model_version(MODEL, "2", "a description")
    assert str(plain.create_model_version(MODEL, "/somewhere").version) == "3"  # a candidate, no more


def test_a_permit_never_outlives_its_change(governed):
    governed.store.roll_back(MODEL, reason="drill")
    with governed.store.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM governance_permits")) == 0


def test_what_was_dropped_or_disarmed_is_mended_at_the_next_start(governed, make_desk):
    postgres = governed.url.startswith("postgresql")
    with governed.store.engine.begin() as connection:
        if postgres:
            connection.exec_driver_sql(
                "ALTER TABLE model_versions DISABLE TRIGGER ordinis_model_versions_update"
            )
            connection.exec_driver_sql("DROP TRIGGER ordinis_governance_ledger_delete ON governance_ledger")
            connection.exec_driver_sql(
                "CREATE OR REPLACE FUNCTION ordinis_model_versions_delete() RETURNS trigger "
                "LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'"
            )
        else:
            for trigger in TRIGGERS:
                connection.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
            connection.exec_driver_sql(
                "CREATE TRIGGER ordinis_model_versions_update BEFORE UPDATE ON model_versions "
                "WHEN 0 BEGIN SELECT 1; END"
            )
    with governed.database.reading() as session:
        assert len(missing_triggers(session)) == (3 if postgres else len(TRIGGERS))
    again = make_desk(url=governed.url)
    with governed.database.reading() as session:
        assert missing_triggers(session) == []
    test_raw_sql_is_refused_and_changes_nothing(again)


def test_a_rebuilt_table_has_its_triggers_back_after_a_start(desk, make_desk):
    """What Alembic's batch mode does to SQLite tables, as in ``mlflow db upgrade``."""
    desk.promote(desk.register())
    with sqlite3.connect(desk.home / "ordinis.db") as connection:
        text = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'model_versions'").fetchone()[0]
        connection.executescript(
            "PRAGMA foreign_keys = OFF;"
            + text.replace("model_versions", "_alembic_tmp_model_versions", 1)
            + ";INSERT INTO _alembic_tmp_model_versions SELECT * FROM model_versions;"
            "DROP TABLE model_versions;"
            "ALTER TABLE _alembic_tmp_model_versions RENAME TO model_versions;"
        )
    connection.close()
    lost = {trigger.name for trigger in TRIGGERS if trigger.table == "model_versions"}
    with desk.database.reading() as session:
        assert set(missing_triggers(session)) == lost
    again = make_desk()
    with (
        pytest.raises(sa.exc.IntegrityError, match="E_LEARN_ROLLOUT_DENIED"),
        again.store.engine.begin() as raw,
    ):
        raw.exec_driver_sql(RAW["stage"])
    second = again.register()
    again.promote(second)
    assert again.active() == second


def test_replacing_rows_is_no_way_round(desk):
    desk.promote(desk.register())
    statements = (
        (
            f"REPLACE INTO model_versions (workspace, name, version, current_stage, source) "
            f"VALUES ('default', '{MODEL}', 1, 'None', '/elsewhere')"
        ),
        f"REPLACE INTO registered_model_aliases (workspace, name, alias, version) VALUES ('default', '{MODEL}', 'active', 1)",
        "REPLACE INTO governance_ledger SELECT * FROM governance_ledger WHERE sequence = 1",
    )
    for statement in statements:
        with (
            pytest.raises(sa.exc.IntegrityError, match="E_LEARN_ROLLOUT_DENIED"),
            desk.store.engine.begin() as raw,
        ):
            raw.exec_driver_sql(statement)
    assert desk.ledger.verify() == []


def policy_for(desk, *names):
    """Write gov_v1 under another id, for models of these names; return the id."""
    text = (resources.files("ordinis_learn.rollout") / "policies" / "gov_v1.yaml").read_text()
    quoted = ", ".join(f'"{name}"' for name in names)
    (desk.home / "policies").mkdir(exist_ok=True)
    (desk.home / "policies" / "desk_v1.yaml").write_text(
        text.replace("policy_id: gov_v1", "policy_id: desk_v1").replace('names: ["*"]', f"names: [{quoted}]")
    )
    return "desk_v1"


@pytest.mark.parametrize(
    ("pattern", "guarded", "free"),
    [
        ("sp500_*", "SP500_signal", "playground"),
        ("[!p]*", "signal", "playground"),
        ("signal.?", "signal.1", "signalx1"),
        ("no_such_model", None, "playground"),
    ],
)
def test_models_outside_the_policy_are_free_for_everybody(any_desk, pattern, guarded, free):
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    policy = policy_for(any_desk, pattern)
    store = OrdinisSqlAlchemyStore(any_desk.url, settings=any_desk.settings, policy_id=policy)
    plain = SqlAlchemyStore(any_desk.url)
    plain.create_registered_model(free)
    plain.create_model_version(free, "/somewhere")
    plain.transition_model_version_stage(free, "1", "Production", False)
    store.set_registered_model_alias(free, "active", "1")
    plain.set_model_version_tag(free, "1", ModelVersionTag("ordinis.state", "anything"))
    if guarded is not None:
        plain.create_registered_model(guarded)
        plain.create_model_version(guarded, "/somewhere")
        with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
            plain.transition_model_version_stage(guarded, "1", "Production", False)
        with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
            plain.rename_registered_model(free, guarded + "_2" if pattern == "sp500_*" else guarded)
        with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
            store.rename_registered_model(free, "sp500_x" if pattern == "sp500_*" else guarded)
    store.delete_registered_model(free)
    assert any_desk.actions(free) == ([] if guarded is None else ["rename.refused"])
    store.engine.dispose()


def test_a_start_mends_once_and_says_so_in_the_ledger(any_desk):
    def start(*patterns):
        return guard(any_desk.database, patterns, actor=DESK, at=any_desk.clock())

    before = any_desk.actions("*")
    assert start("*") == start("sp500_*") == []
    assert any_desk.actions("*") == [*before, "scope.changed"]
    pattern = "^sp500_.*$" if any_desk.url.startswith("postgresql") else "sp500_*"
    everything = "^.*$" if any_desk.url.startswith("postgresql") else "*"
    assert any_desk.ledger.history("*")[-1].body == {"before": [everything], "after": [pattern]}
    assert start("*") == []
    with any_desk.store.engine.begin() as connection:
        table = " ON governance_ledger" if any_desk.url.startswith("postgresql") else ""
        connection.exec_driver_sql(f"DROP TRIGGER ordinis_governance_ledger_update{table}")
    assert start("*") == ["ordinis_governance_ledger_update"]
    assert start("*") == []
    assert any_desk.ledger.history("*")[-1].body == {"triggers": ["ordinis_governance_ledger_update"]}
