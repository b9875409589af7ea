"""A hostile colleague who can write SQL: what gets past the triggers is found, and the gate stays closed."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.records import Actor
from ordinis_learn.rollout import approval_tag
from ordinis_registry import ledger
from ordinis_registry.pointers import Pointers
from ordinis_registry.succession import successor
from ordinis_registry.triggers import TRIGGERS

MODEL = "sp500_signal"
ANSWER = "key = 'ordinis.approval.model-risk' AND version = 2"
TAKE_AWAY = f"DELETE FROM model_version_tags WHERE {ANSWER}"
STRANGER = Actor(name="stranger", kind="claimed")


@contextlib.contextmanager
def as_dba(desk):
    """Drop every trigger, as somebody with all rights can, and yield a connection."""
    with desk.store.engine.begin() as connection:
        for trigger in TRIGGERS:
            table = f" ON {trigger.table}" if desk.url.startswith("postgresql") else ""
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger.name}{table}")
        yield connection


def kinds(found):
    return {(one.version, one.kind) for one in found if one.kind != "triggers"}


@pytest.fixture
def refused_candidate(any_desk):
    """Version 1 trades; version 2 is in SHADOW, and the approver has said yes and then no."""
    any_desk.promote(any_desk.register())
    version = any_desk.register()
    any_desk.attest(version)
    any_desk.move(version, "shadow")
    yes = any_desk.sign("approval", any_desk.approval(version), by="model-risk")
    any_desk.tag(version, approval_tag("model-risk"), yes)
    any_desk.clock.advance(minutes=1)
    any_desk.approve(version, answer="refuse")
    return any_desk, version, yes


def test_a_refusal_that_is_taken_away_keeps_the_gate_closed(refused_candidate):
    desk, version, yes = refused_candidate
    no = desk.store.get_model_version(MODEL, version).tags[approval_tag("model-risk")]
    with as_dba(desk) as connection:
        connection.exec_driver_sql(TAKE_AWAY)
    assert (version, "statement") in kinds(desk.store.reconcile())
    with pytest.raises(MlflowException, match=r"ordinis\.approval\.model-risk is gone"):
        desk.move(version, "active")
    with pytest.raises(MlflowException, match="what was replaced does not come back"):
        desk.tag(version, approval_tag("model-risk"), yes)
    desk.tag(version, approval_tag("model-risk"), no)  # whoever signed it may hang it up again
    assert kinds(desk.store.reconcile()) == set()
    with pytest.raises(MlflowException, match="refused by model-risk"):
        desk.move(version, "active")


def test_an_approval_that_is_played_over_a_refusal_keeps_the_gate_closed(refused_candidate):
    desk, version, yes = refused_candidate
    with as_dba(desk) as connection:
        update = sa.text(f"UPDATE model_version_tags SET value = :yes WHERE {ANSWER}")
        connection.execute(update, {"yes": yes})
    assert (version, "statement") in kinds(desk.store.reconcile())
    with pytest.raises(MlflowException, match="is not the statement that was accepted last"):
        desk.move(version, "active")
    assert desk.active() == "1"


def test_an_approval_from_before_a_refusal_that_was_never_submitted_comes_too_late(refused_candidate):
    desk, version, _ = refused_candidate
    earlier = desk.approval(version, given_at=desk.clock() - timedelta(seconds=30))
    with as_dba(desk) as connection:
        connection.exec_driver_sql(TAKE_AWAY)
    with pytest.raises(MlflowException, match="older than the one that was accepted last"):
        desk.tag(version, approval_tag("model-risk"), desk.sign("approval", earlier, by="model-risk"))


def test_a_statement_hung_up_behind_the_store_is_named(any_desk):
    version = any_desk.register()
    any_desk.attest(version)
    any_desk.move(version, "shadow")
    text = any_desk.sign("approval", any_desk.approval(version), by="model-risk")
    with as_dba(any_desk) as connection:
        insert = sa.text(
            "INSERT INTO model_version_tags (workspace, name, version, key, value) "
            f"VALUES ('default', '{MODEL}', 1, 'ordinis.approval.model-risk', :text)"
        )
        connection.execute(insert, {"text": text})
    assert (version, "statement") in kinds(any_desk.store.reconcile())
    with pytest.raises(MlflowException, match="did not come through the store"):
        any_desk.move(version, "active")
    any_desk.tag(version, approval_tag("model-risk"), text)
    any_desk.move(version, "active")
    assert any_desk.active() == version


def forge(desk, *, action, body, statements=()):
    """Do what whoever may write SQL can: a permit, rows, and a record whose hash is right."""
    with desk.database.session() as session:
        session.execute(sa.text("INSERT INTO governance_permits (subject) VALUES (:name)"), {"name": MODEL})
        for statement in statements:
            session.execute(sa.text(statement))
        ledger.append(session, subject=MODEL, action=action, actor=STRANGER, at=desk.clock(), body=body)
        session.execute(sa.text("DELETE FROM governance_permits"))


FORGED = {
    "a rollback to what never traded": (
        "rolled_back",
        {"version": "1", "to": "2", "reason": "x", "unfit": []},
    ),
    "a promotion past SHADOW": (
        "rollout.allowed",
        {"version": "2", "decision": {"allowed": True, "to_state": "ACTIVE"}},
    ),
    "an adoption of what has a chain": ("model.adopted", {}),
    "an action that never moves anything": ("alias.refused", {}),
}


@pytest.mark.parametrize("what", list(FORGED))
def test_a_forged_record_whose_hash_is_right_is_no_lawful_move(any_desk, what):
    any_desk.promote(any_desk.register())
    any_desk.register()
    action, body = FORGED[what]
    before = len(any_desk.ledger.history(MODEL))
    pointers = Pointers(active="2", last_active="2", good=("1",))
    rows = (
        "UPDATE model_versions SET current_stage = 'Archived' WHERE version = 1",
        "UPDATE model_versions SET current_stage = 'Production' WHERE version = 2",
        "UPDATE registered_model_aliases SET version = 2 WHERE alias = 'active'",
        "UPDATE model_version_tags SET value = 'RETIRED' WHERE key = 'ordinis.state' AND version = 1",
        "UPDATE model_version_tags SET value = 'ACTIVE' WHERE key = 'ordinis.state' AND version = 2",
        f"INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES ('default', '{MODEL}', 'last_known_good', 1)",
    )
    forge(any_desk, action=action, body=body | {"pointers": pointers.to_json()}, statements=rows)
    (fault,) = any_desk.ledger.faults()
    assert (fault.subject, fault.sequence, fault.kind) == (MODEL, before + 1, "unlawful")
    (one,) = any_desk.store.reconcile()
    assert one.kind == "unlawful"
    assert f"record {before + 1} was not written by the store" in one.found
    assert any_desk.store.roll_back(MODEL, reason="forged") == "1"
    assert any_desk.aliases() == {"active": "1"}


moves = st.lists(
    st.tuples(st.sampled_from(["SHADOW", "ACTIVE", "RETIRED", "back", "deleted"]), st.sampled_from("1234")),
    max_size=15,
)


@given(moves, st.builds(Pointers, active=st.sampled_from([None, *"1234"]), shadow=st.just(("9",))))
def test_every_history_of_the_store_is_lawful_and_no_other_pointers_follow(history, other):
    known = Pointers()
    for target, version in history:
        body = {"version": version, "decision": {"allowed": True, "to_state": target}, "retired": []}
        match target:
            case "SHADOW" if version != known.active:
                expected, action = known.shadowed(version), "rollout.allowed"
            case "ACTIVE" if version in known.shadow:
                expected, action = known.promoted(version), "rollout.allowed"
            case "RETIRED":
                expected, action = known.retired(version), "rollout.allowed"
            case "back" if known.active:
                to = known.last_known_good
                expected, action = known.rolled_back(to=to), "rolled_back"
                body = {"version": known.active, "to": to}
            case "deleted" if version not in {known.active, *known.shadow, *known.good}:
                expected, action = known.forgotten(version), "version.deleted"
            case _:
                continue
        found = successor(known, action=action, body=body)
        assert found == expected
        assert found != other
        known = expected


def refused(connection, statement):
    with pytest.raises(sa.exc.DBAPIError) as caught:
        connection.exec_driver_sql(statement)
    assert str(caught.value.orig).startswith("E_LEARN_ROLLOUT_DENIED: "), statement


PAST_SQLITE = {
    "the row id of another model's version": (
        "REPLACE INTO model_versions (rowid, workspace, name, version, current_stage) "
        "SELECT rowid, 'default', 'free', 1, 'None' FROM model_versions WHERE version = 1"
    ),
    "the row id of an alias": (
        "REPLACE INTO registered_model_aliases (rowid, workspace, name, alias, version) "
        "SELECT rowid, 'default', name, 'champion', 1 FROM registered_model_aliases WHERE alias = 'active'"
    ),
    "the row id of a model": (
        "REPLACE INTO registered_models (rowid, workspace, name) "
        f"SELECT rowid, 'default', 'free' FROM registered_models WHERE name = '{MODEL}'"
    ),
    "the row id of evidence": (
        "REPLACE INTO model_version_tags (rowid, workspace, name, version, key, value) "
        "SELECT rowid, 'default', name, 2, 'team', 'rates' FROM model_version_tags WHERE key = 'ordinis.state'"
    ),
    "an update that replaces by row id": (
        "UPDATE OR REPLACE model_versions SET rowid = (SELECT rowid FROM model_versions WHERE version = 1) "
        "WHERE version = 2"
    ),
    "an update that replaces by key": "UPDATE OR REPLACE model_versions SET version = 1 WHERE version = 2",
    "an alias turned into a governed one": (
        "UPDATE OR REPLACE registered_model_aliases SET alias = 'active', version = 2 WHERE alias = 'champion'"
    ),
    "an upsert": (
        "INSERT INTO registered_model_aliases (workspace, name, alias, version) "
        f"VALUES ('default', '{MODEL}', 'active', 2) "
        "ON CONFLICT (workspace, name, alias) DO UPDATE SET version = 2"
    ),
}


@pytest.mark.parametrize("what", list(PAST_SQLITE))
def test_no_way_of_replacing_rows_leads_past_the_triggers_of_sqlite(desk, what):
    desk.promote(desk.register())
    desk.store.set_registered_model_alias(MODEL, "champion", desk.register())
    with sa.create_engine(desk.url).connect() as connection:  # foreign keys are off, as in any other program
        refused(connection, PAST_SQLITE[what])
    assert desk.store.reconcile() == []


def test_an_attached_file_and_a_temporary_permit_do_not_help(desk):
    desk.promote(desk.register())
    desk.register()
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("ATTACH ? AS governed", (str(desk.home / "ordinis.db"),))
        connection.execute("CREATE TEMP TABLE governance_permits (subject TEXT)")
        connection.execute("INSERT INTO temp.governance_permits VALUES (?)", (MODEL,))
        with pytest.raises(sqlite3.IntegrityError, match="E_LEARN_ROLLOUT_DENIED"):
            connection.execute(
                "UPDATE governed.model_versions SET current_stage = 'Production' WHERE version = 2"
            )
        connection.rollback()
    assert desk.store.reconcile() == []


def test_a_trigger_disarmed_in_the_schema_itself_is_found(desk):
    desk.promote(desk.register())
    desk.register()
    with contextlib.closing(sqlite3.connect(desk.home / "ordinis.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        name = "ordinis_registered_model_aliases_update"
        (text,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        disarmed = text.replace(" WHEN ", " WHEN 0 AND ", 1)
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (disarmed, name))
        connection.execute("PRAGMA schema_version = 4711")
        connection.execute("UPDATE registered_model_aliases SET version = 2 WHERE alias = 'active'")
    found = desk.store.reconcile()
    assert {one.kind for one in found} == {"triggers", "alias"}
    assert "ordinis_registered_model_aliases_update" in str(found)


def test_scope_that_was_emptied_is_put_back_and_both_are_in_the_ledger(any_desk, make_desk):
    any_desk.promote(any_desk.register())
    any_desk.register()
    with any_desk.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM governance_scope")
        connection.exec_driver_sql("UPDATE registered_model_aliases SET version = 2 WHERE alias = 'active'")
    again = make_desk(url=any_desk.url)
    newest = again.ledger.history("*")[-1]
    assert (newest.action, newest.body["before"]) == ("scope.changed", [])
    assert kinds(again.store.reconcile()) == {(None, "alias")}


def test_somebody_elses_trigger_on_our_tables_is_named_with_how_to_take_it_off(any_desk):
    postgres = any_desk.url.startswith("postgresql")
    any_desk.promote(any_desk.register())
    any_desk.register()
    move = "UPDATE registered_model_aliases SET version = 2 WHERE alias = 'active'"
    with any_desk.store.engine.begin() as connection:
        if postgres:
            connection.exec_driver_sql(
                f"CREATE FUNCTION helpful() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {move}; RETURN NEW; END$$"
            )
            connection.exec_driver_sql(
                "CREATE TRIGGER helpful AFTER INSERT ON governance_permits FOR EACH ROW EXECUTE FUNCTION helpful()"
            )
        else:
            connection.exec_driver_sql(
                f"CREATE TRIGGER helpful AFTER INSERT ON governance_permits BEGIN {move}; END"
            )
    with contextlib.suppress(MlflowException):
        any_desk.store.set_registered_model_alias(MODEL, "active", "1")  # a refusal, which opens a permit
    found = any_desk.store.reconcile()
    assert {one.kind for one in found} == {"triggers", "alias"}
    (hook,) = (one for one in found if one.kind == "triggers")
    off = hook.next_step.removeprefix("find who made it, then ")
    with any_desk.store.engine.begin() as connection:
        connection.exec_driver_sql(off)
    any_desk.store.reconcile(repair=True)
    assert any_desk.store.reconcile() == []
    assert any_desk.active() == "1"


@pytest.fixture
def on_postgres(postgres, make_desk):
    desk = make_desk(url=postgres)
    desk.promote(desk.register())
    desk.register()
    return desk


ACTIVATE = "UPDATE registered_model_aliases SET version = 2 WHERE alias = 'active'"
PAST_POSTGRESQL = {
    "a temporary permit": [
        "CREATE TEMP TABLE governance_permits (subject text)",
        f"INSERT INTO pg_temp.governance_permits VALUES ('{MODEL}')",
        ACTIVATE,
    ],
    "an empty scope in front": [
        "CREATE SCHEMA mine",
        "CREATE TABLE mine.governance_scope (pattern text)",
        "SET search_path = mine, public",
        ACTIVATE,
    ],
    "as a replica": ["SET session_replication_role = replica", ACTIVATE],
    "truncated ledger": ["TRUNCATE governance_ledger"],
    "truncated aliases": ["TRUNCATE registered_model_aliases"],
    "truncated models": ["TRUNCATE registered_models CASCADE"],
    "an upsert": [
        (
            "INSERT INTO registered_model_aliases (workspace, name, alias, version) "
            f"VALUES ('default', '{MODEL}', 'active', 2) "
            "ON CONFLICT (workspace, name, alias) DO UPDATE SET version = 2"
        )
    ],
    "a merge": [
        (
            "MERGE INTO registered_model_aliases a USING (SELECT 2 AS wanted) w ON a.alias = 'active' "
            "WHEN MATCHED THEN UPDATE SET version = w.wanted"
        )
    ],
}


@pytest.mark.parametrize("what", list(PAST_POSTGRESQL))
def test_no_way_of_postgresql_leads_past_the_triggers(on_postgres, what):
    with on_postgres.store.engine.connect() as connection:
        *before, last = PAST_POSTGRESQL[what]
        for statement in before:
            connection.exec_driver_sql(statement)
        refused(connection, last)
    on_postgres.store.engine.dispose()
    assert on_postgres.store.reconcile() == []


def test_copied_rows_are_judged_like_inserted_ones(on_postgres):
    with on_postgres.store.engine.connect() as connection:
        cursor = connection.connection.driver_connection.cursor()
        with (
            pytest.raises(Exception, match="E_LEARN_ROLLOUT_DENIED"),
            cursor.copy("COPY registered_model_aliases (workspace, name, alias, version) FROM STDIN") as copy,
        ):
            copy.write_row(("default", MODEL, "Active", 2))
    assert on_postgres.store.reconcile() == []


def test_a_rule_or_an_heir_of_our_tables_is_found(on_postgres):
    with on_postgres.store.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE heir () INHERITS (registered_model_aliases)")
        connection.exec_driver_sql(
            f"INSERT INTO heir (workspace, name, alias, version) VALUES ('default', '{MODEL}', 'Active', 2)"
        )
        connection.exec_driver_sql("CREATE RULE quiet AS ON DELETE TO outbox DO INSTEAD NOTHING")
    found = on_postgres.store.reconcile()
    assert {one.kind for one in found} == {"triggers", "alias"}
    assert [one.next_step.partition(", then ")[2] for one in found if one.kind == "triggers"] == [
        "DROP RULE quiet ON outbox",
        "DROP TABLE heir",
    ]


DISARMED = {
    "under a condition that never holds": "BEFORE UPDATE ON model_versions FOR EACH ROW WHEN (false)",
    "for a column that nobody changes": "BEFORE UPDATE OF user_id ON model_versions FOR EACH ROW",
    "for another event": "BEFORE DELETE ON model_versions FOR EACH ROW",
    "on another table": "BEFORE UPDATE ON registered_models FOR EACH ROW",
}


@pytest.mark.parametrize("what", list(DISARMED))
def test_a_trigger_of_our_name_and_function_that_never_fires_is_found_and_mended(
    on_postgres, make_desk, what
):
    name = "ordinis_model_versions_update"
    with on_postgres.store.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER {name} ON model_versions")
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {DISARMED[what]} EXECUTE FUNCTION {name}()")
        table = "registered_models" if "registered_models" in DISARMED[what] else "model_versions"
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    assert f"not there as they should be: {name}" in str(on_postgres.store.reconcile())
    found = make_desk(url=on_postgres.url).store.reconcile()
    assert [one.next_step for one in found] == (
        [f"find who made it, then DROP TRIGGER {name} ON registered_models"]
        if table == "registered_models"
        else []
    )


def test_a_hook_under_the_name_of_one_of_our_triggers_is_found(on_postgres):
    with on_postgres.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION helpful() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER ordinis_model_versions_update AFTER INSERT ON governance_permits "
            "FOR EACH ROW EXECUTE FUNCTION helpful()"
        )
    (hook,) = on_postgres.store.reconcile()
    assert hook.next_step.endswith("DROP TRIGGER ordinis_model_versions_update ON governance_permits")


@pytest.mark.parametrize("table", ["Governance_PERMITS", "governance_policies"])
def test_a_hook_on_whatever_a_change_writes_is_found_in_any_case(desk, table):
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER helpful AFTER INSERT ON {table} BEGIN SELECT 1; END")
    (hook,) = desk.store.reconcile()
    assert hook.next_step.endswith('DROP TRIGGER "helpful"')


@pytest.mark.parametrize("text", [b'{"pointers" garbage', b'{"pointers":1}', b'"pointers" \xff'])
def test_a_chain_that_nobody_can_read_hides_no_other_model(desk, text):
    for name in ("alpha", "beta"):
        desk.promote(desk.register(name=name), name=name)
    with desk.store.engine.begin() as connection:
        for name in ("ordinis_governance_ledger_update", "ordinis_registered_model_aliases_delete"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        change = (
            "UPDATE governance_ledger SET hashed_text = CAST(? AS TEXT) WHERE position ="
            " (SELECT max(position) FROM governance_ledger WHERE subject = 'alpha')"
        )
        connection.exec_driver_sql(change, (text,))
        connection.exec_driver_sql("DELETE FROM registered_model_aliases WHERE alias = 'active'")
    for repair in (False, True):
        found = {(one.name, one.kind) for one in desk.store.reconcile(repair=repair)}
        assert found == {("*", "triggers"), ("alpha", "unreadable"), ("beta", "alias")}
    assert {(one.name, one.kind) for one in desk.store.reconcile()} == found - {("beta", "alias")}
