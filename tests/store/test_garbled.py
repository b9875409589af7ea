"""A record that somebody garbled is an error that names it, wherever it is read; never a KeyError."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.cli import main
from ordinis_learn.errors import AuditChainBroken
from ordinis_learn.records import Actor, AuditRecord
from ordinis_learn.use_cases.history import describe
from ordinis_registry.acceptance import submissions
from ordinis_registry.identities import known_identities
from ordinis_registry.retention import pruned

GARBLED = [
    "",
    "nonsense",
    "[]",
    "{}",
    '{"body":3,"pointers":0}',
    '{"body":{"pointers":7,"decision":{"subject":1},"version":"1"}}',
    "[" * 5000,
]
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def rewrite(desk, action, text):
    """Write past the triggers, as whoever owns the file can."""
    with desk.database.engine.begin() as connection:
        for (name,) in connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'governance_ledger'"
        ).all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        changed = connection.execute(
            sa.text("UPDATE governance_ledger SET hashed_text = :text WHERE action = :action"),
            {"text": text, "action": action},
        )
    assert changed.rowcount


def readers(desk):
    def in_transaction(read, *arguments):
        def reading():
            with desk.database.reading() as session:
                return read(session, *arguments)

        return reading

    return {
        "history": lambda: desk.ledger.history("sp500_signal"),
        "chain of identities": lambda: desk.ledger.history("*"),
        "active_at": lambda: desk.ledger.active_at("sp500_signal", LATER),
        "replay": desk.ledger.replay,
        "identities": in_transaction(known_identities),
        "submissions": in_transaction(submissions, "sp500_signal", "1"),
        "pruned": in_transaction(pruned, "sp500_signal", "1"),
    }


@pytest.mark.parametrize(
    ("action", "reader"),
    [
        ("rollout.allowed", "history"),
        ("rollout.allowed", "replay"),
        ("identity.trusted", "identities"),
        ("identity.trusted", "chain of identities"),
        ("evidence.submitted", "history"),
        ("version.registered", "history"),
    ],
)
def test_every_way_of_reading_names_it(desk, action, reader):
    version = desk.register()
    desk.promote(version)
    for text in GARBLED:
        rewrite(desk, action, text)
        with pytest.raises(AuditChainBroken) as caught:
            readers(desk)[reader]()
        assert caught.value.next_step.startswith("ordinis-learn ledger verify")
        for read in readers(desk).values():
            try:
                read()
            except AuditChainBroken:
                continue
        assert desk.ledger.verify()


def test_the_gate_stays_closed_and_says_which_record(desk):
    desk.promote(desk.register())
    second = desk.register()
    rewrite(desk, "rollout.allowed", '{"body":{"pointers":7}}')
    with pytest.raises(MlflowException, match=r"E_AUDIT_CHAIN_BROKEN: read record \d+ of 'sp500_signal'"):
        desk.move(second, "shadow")


def test_as_typed(make_desk, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    (tmp_path / "registry_db").mkdir()
    desk = make_desk(url=f"sqlite:///{tmp_path / 'registry_db' / 'ordinis.db'}")
    desk.promote(desk.register())
    desk.catalogue.add_artifact(desk.training("1"))
    rewrite(desk, "rollout.allowed", '{"body":{"decision":{"subject":1}}}')
    for way in (
        ("dossier", "sp500_signal", "1"),
        ("ledger", "history", "sp500_signal"),
        ("ledger", "verify"),
    ):
        done = CliRunner().invoke(main, ["--home", str(tmp_path), *way])
        assert done.exit_code == 1
        assert done.output.splitlines()[0] == "E_AUDIT_CHAIN_BROKEN", done.output


def test_a_decision_without_its_states_is_not_described():
    record = AuditRecord(
        subject="sp500_signal",
        sequence=7,
        action="rollout.allowed",
        actor=Actor(name="somebody", kind="claimed"),
        at=LATER,
        body={"decision": {"allowed": True}},
        previous_hash="0" * 64,
        hash="1" * 64,
    )
    with pytest.raises(AuditChainBroken, match="read record 7 of 'sp500_signal'"):
        describe(record)
