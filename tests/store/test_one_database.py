"""What the gate asks stands in the database in which it decides, wherever that is."""

import shutil
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import make_url

from ordinis_learn import open_engine
from ordinis_learn.cli import main
from ordinis_learn.records import Actor, DriftFinding, DriftReport, Heartbeat, ModelType
from ordinis_learn.rollout import KeyStore
from ordinis_learn.use_cases.alerting import remember
from ordinis_registry import GovernanceDatabase, SqlAlertBook, ledger
from ordinis_registry.catalogue import is_drift_breached
from ordinis_registry.looking import look_at

NOW = datetime(2024, 3, 1, 21, tzinfo=UTC)


def breached():
    finding = DriftFinding(
        feature="vol_20",
        metric="psi",
        value=0.9,
        threshold=0.1,
        p_value=0.001,
        q_value=0.002,
        severity="critical",
    )
    return DriftReport(
        model="signal",
        version="1",
        dataset_ref="core@1",
        start=NOW,
        end=NOW,
        reference_rows=1000,
        current_rows=100,
        alpha=0.05,
        findings=(finding,),
        breached=True,
        created_at=NOW,
    )


def test_a_breach_blocks_where_the_registry_is_on_postgresql(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"ordinis+{postgres}")
    with open_engine(home=tmp_path / "desk") as engine:
        bench = engine.workbench
        remember(bench, breached(), model_type=ModelType.SIGNAL_MODEL, identity="one", session=None)
        assert [alert.metric for alert in bench.alerts.alerts("signal")] == ["psi"]
    database = GovernanceDatabase(postgres)
    with database.reading() as session:
        assert is_drift_breached(session, "signal", "1")
        assert not is_drift_breached(session, "signal", "2")
    database.close()
    assert not (tmp_path / "desk" / "registry_db" / "ordinis.db").exists()


def doctor(home):
    done = CliRunner().invoke(main, ["--home", str(home), "doctor"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done


def test_doctor_looks_where_the_registry_is(postgres, tmp_path, monkeypatch):
    """A home of before stands beside it, with signs of life that are old; they are not the answer."""
    home = tmp_path / "desk"
    with open_engine(home=home) as engine:
        engine.workbench.alerts.beat(Heartbeat(job="drift", at=NOW, ok_at=NOW, said="long ago"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"ordinis+{postgres}")
    database = GovernanceDatabase(postgres)
    now = datetime.now(UTC)
    book = SqlAlertBook(database, clock=lambda: now)
    book.beat(Heartbeat(job="drift", at=now, ok_at=now, said="just now"))
    with database.session() as session:
        ledger.append(
            session,
            subject="*",
            action="checkpoint.failed",
            actor=Actor(name="x", kind="claimed"),
            at=now,
            body={"found": "the disk is full", "next_step": "make room"},
        )
    database.close()
    KeyStore(home / "keys").create("ledger-witness")
    said = doctor(home).output
    assert "just now" in said
    assert "long ago" not in said
    assert "the disk is full" in said
    assert make_url(postgres).database in said


def test_doctor_says_that_a_registry_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "ordinis+postgresql://nobody:secret@127.0.0.1:1/x")
    done = doctor(tmp_path)
    assert done.exit_code == 1
    assert "start the server of MLFLOW_REGISTRY_URI" in done.output
    assert "secret" not in done.output
    assert list(tmp_path.iterdir()) == []


def test_looking_changes_nothing_and_needs_no_schema(postgres_template, tmp_path):
    """An empty database stays empty, and a file of before keeps its revision."""
    admin, _ = postgres_template
    name = f"ordinis_test_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        url = admin.url.set(database=name).render_as_string(hide_password=False)
        assert look_at(url).found.endswith("empty until first use")
        with closing(GovernanceDatabase(url)) as database:
            assert database.revision() is None
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    old = tmp_path / "old.db"
    shutil.copyfile(Path(__file__).parents[1] / "registry" / "revisions" / "r0003.db", old)
    before = old.read_bytes()
    assert look_at(f"sqlite:///{old}").found.endswith("will be upgraded on first use")
    assert old.read_bytes() == before
    (tmp_path / "bad.db").write_bytes(b"nonsense" * 1000)
    assert "restore it from a backup" in look_at(f"sqlite:///{tmp_path / 'bad.db'}").next_step
