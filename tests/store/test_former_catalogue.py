"""A home whose catalogue stood in its own file, and whose registry is on PostgreSQL: nothing of it is lost, and nothing is silent."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from ordinis_learn import open_engine
from ordinis_learn.alerts import (
    Context,
    DriftSighting,
    Sighting,
    load_response_policy,
    on_drift_check,
    raise_alert,
)
from ordinis_learn.cli import main
from ordinis_learn.drift import alerts_for
from ordinis_learn.errors import ConfigInvalid, DataCorrupt
from ordinis_learn.records import Actor, DriftFinding, DriftReport, Heartbeat, ModelType
from ordinis_registry import GovernanceDatabase, SqlAlertBook, SqlCatalogue, SqlLedger

MODEL = "sp500_signal"
OLD = Path(__file__).parents[1] / "registry" / "revisions" / "r0003.db"
MONITOR = Actor(name="monitor", kind="claimed")


@pytest.fixture
def desk(make_desk, postgres, monkeypatch, tmp_path):
    """A registry on PostgreSQL with one ACTIVE version, and the home's environment."""
    made = make_desk(url=postgres)
    made.promote(made.register())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"ordinis+{postgres}")
    return made


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "desk"
    (path / "registry_db").mkdir(parents=True)
    return path


def report(clock, version, **changes):
    finding = DriftFinding(
        feature="vol_20",
        metric="sharpe_decline",
        value=0.9,
        threshold=0.1,
        p_value=0.001,
        q_value=0.002,
        severity="critical",
    )
    at = clock()
    fields = {"model": MODEL, "version": version, "dataset_ref": "core@1", "start": at, "end": at}
    fields |= {"reference_rows": 1000, "current_rows": 100, "alpha": 0.05, "findings": (finding,)}
    return DriftReport.model_validate(fields | {"breached": True, "created_at": at} | changes)


@pytest.fixture
def filled(desk, home, clock):
    """The home's own file, as it was kept until now: of version 1, and of a version 9 that this registry never had."""
    with closing(GovernanceDatabase(f"sqlite:///{home / 'registry_db' / 'ordinis.db'}")) as database:
        database.upgrade()
        catalogue = SqlCatalogue(database, clock=clock)
        known = desk.training("1")
        catalogue.add_artifact(known)
        catalogue.add_artifact(known.model_copy(update={"artifact_id": "ART-trial", "version": "9"}))
        catalogue.add_scorecard(known.artifact_id, desk.scorecard("1"))
        catalogue.add_scorecard("ART-trial", desk.scorecard("1", trials=9))
        catalogue.add_failure("train", label="signal_model", subject=MODEL, code="E", found="no luck")
        book = SqlAlertBook(database, clock=clock)
        policy = load_response_policy("response_rollback_v1")
        for version in ("1", "9"):
            made = report(clock, version)
            seen = DriftSighting(
                report=made,
                raised=alerts_for(made),
                identity=version,
                history=(),
                daily=False,
                model_type=ModelType.SIGNAL_MODEL,
            )
            context = Context(policy=policy, now=clock(), by="monitor", is_told=True)
            book.add_check(
                made,
                identity=f"window-{version}",
                session=clock().date(),
                plan=lambda standing, seen=seen, context=context: on_drift_check(
                    standing, seen, context=context
                ),
                actor=MONITOR,
            )
        missed = Sighting(kind="missed_schedule", subject="*", severity="critical", summary="s", source="a")
        book.change(
            "*",
            lambda standing: raise_alert(
                standing, missed, context=Context(policy=policy, now=clock(), by="monitor", is_told=True)
            ),
            actor=MONITOR,
        )
        book.beat(Heartbeat(job="drift", at=clock(), ok_at=clock(), said="of before"))
    return home


def run(home, *words):
    return CliRunner().invoke(main, ["--home", str(home), *words])


def test_it_is_said_and_nothing_is_opened_until_it_is_decided(filled):
    with pytest.raises(ConfigInvalid, match="2 in model_registry") as refused:
        open_engine(home=filled)
    assert "ordinis-learn carry-over" in refused.value.next_step
    done = run(filled, "doctor")
    assert done.exit_code == 1
    assert "catalogue of before" in done.output
    assert "ordinis-learn carry-over" in done.output


def test_what_belongs_to_the_registry_is_carried_over_once(filled, clock):
    file = filled / "registry_db" / "ordinis.db"
    before = file.read_bytes()
    first = run(filled, "carry-over")
    assert first.exit_code == 0, first.output
    assert "model_registry       1 carried, 0 there already, 1 left" in first.output
    again = run(filled, "carry-over")
    assert "model_registry       0 carried, 1 there already, 1 left" in again.output
    assert file.read_bytes() == before
    with open_engine(home=filled) as engine:
        bench = engine.workbench
        (artifact,) = bench.catalogue.artifacts()
        assert (artifact.name, artifact.version) == (MODEL, "1")
        assert [card.trials for card in bench.catalogue.scorecards(artifact.artifact_id)] == [1]
        assert bench.catalogue.failures("train") == {"signal_model": 1}
        assert [one.version for one in bench.catalogue.drift(MODEL)] == ["1"]
        assert bench.alerts.check("window-1") is not None
        assert bench.alerts.last_session(MODEL, "1") == clock().date()
        assert {(one.kind, one.version) for one in bench.alerts.alerts()} == {
            ("drift", "1"),
            ("missed_schedule", ""),
        }
        assert {one.action for one in bench.alerts.responses(pending=True)} == {
            "roll_back",
            "request_retrain",
        }
        assert len(bench.alerts.deliveries()) == 2
        assert bench.alerts.beats()["drift"].said == "of before"
        assert [one["topic"] for one in bench.catalogue.pending_events()]
        assert bench.ledger.verify() == []
        records = [one for one in bench.ledger.history("*") if one.action == "catalogue.carried_over"]
        assert [one.body["tables"]["model_registry"]["carried"] for one in records] == [1]
    done = run(filled, "doctor")
    assert "catalogue of before" not in done.output


def test_two_equal_attempts_are_two_and_a_message_that_was_delivered_stays_delivered(filled, clock):
    with closing(GovernanceDatabase(f"sqlite:///{filled / 'registry_db' / 'ordinis.db'}")) as database:
        SqlCatalogue(database, clock=clock).add_failure(
            "train", label="signal_model", subject=MODEL, code="E", found="no luck"
        )
    assert "2 carried, 0 there already" in run(filled, "carry-over").output
    with open_engine(home=filled) as engine:
        bench = engine.workbench
        for delivery in bench.alerts.deliveries():
            bench.alerts.settle(delivery.model_copy(update={"delivered_at": clock()}))
    assert "2 there already" in run(filled, "carry-over").output
    with open_engine(home=filled) as engine:
        assert engine.workbench.catalogue.failures("train") == {"signal_model": 2}
        assert engine.workbench.alerts.deliveries() == []
        assert [one.action for one in engine.workbench.ledger.history("*")].count(
            "catalogue.carried_over"
        ) == 1


@pytest.mark.slow  # a process that imports everything
def test_killed_half_way_it_has_carried_nothing_and_typed_again_it_carries_all(filled, desk):
    """It is held up at the last table by a lock, and killed there."""
    engine = sa.create_engine(desk.url)
    with closing(engine.connect()) as holder:
        holder.execute(sa.text("LOCK TABLE learn_heartbeats IN ACCESS EXCLUSIVE MODE"))
        process = subprocess.Popen(
            [sys.executable, "-Im", "ordinis_learn", "--home", str(filled), "carry-over"]
        )
        with closing(engine.connect()) as looker:
            waits = sa.text(
                "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
                "WHERE NOT l.granted AND c.relname = 'learn_heartbeats'"
            )
            while not looker.scalar(waits):
                assert process.poll() is None
                time.sleep(0.2)
        process.kill()
        process.wait()
        holder.rollback()
    engine.dispose()
    with pytest.raises(ConfigInvalid, match="carry-over"):
        open_engine(home=filled)
    done = run(filled, "carry-over")
    assert "model_registry       1 carried, 0 there already, 1 left" in done.output
    with open_engine(home=filled) as opened:
        assert len(opened.workbench.alerts.deliveries()) == 2
        assert opened.workbench.ledger.verify() == []


def test_newer_signs_of_life_stand_and_older_ones_make_room(filled, desk, clock):
    with closing(GovernanceDatabase(desk.url)) as database:
        book = SqlAlertBook(database, clock=clock)
        book.beat(Heartbeat(job="drift", at=clock() - timedelta(days=9), ok_at=None, said="older"))
        run(filled, "carry-over")
        assert book.beats()["drift"].said == "of before"
        book.beat(Heartbeat(job="drift", at=clock() + timedelta(days=1), ok_at=None, said="newer"))
        run(filled, "carry-over")
        assert book.beats()["drift"].said == "newer"


def test_two_records_of_one_identity_are_an_error_and_nothing_is_written(filled, desk, clock):
    with closing(GovernanceDatabase(desk.url)) as database:
        other = desk.training("1").model_copy(update={"seed": 8})
        SqlCatalogue(database, clock=clock).add_artifact(other)
        done = run(filled, "carry-over")
        assert done.exit_code == 1
        assert "another record of this identity" in done.output
        assert SqlAlertBook(database, clock=clock).alerts() == []
        assert "catalogue.carried_over" not in [one.action for one in SqlLedger(database).history("*")]
    with pytest.raises(ConfigInvalid):
        open_engine(home=filled)


def test_left_for_good_it_stays_in_the_file_and_the_ledger_knows(filled):
    done = run(filled, "carry-over", "--leave", "--reason", "a trial")
    assert done.exit_code == 0, done.output
    with open_engine(home=filled) as engine:
        assert engine.workbench.catalogue.artifacts() == []
        (left,) = [one for one in engine.workbench.ledger.history("*") if one.action == "catalogue.left"]
    assert left.body["reason"] == "a trial"
    assert left.body["rows"]["model_registry"] == 2


@pytest.mark.usefixtures("desk")
def test_a_file_of_r0003_is_carried_over_as_it_is(home):
    file = home / "registry_db" / "ordinis.db"
    shutil.copyfile(OLD, file)
    before = file.read_bytes()
    done = run(home, "carry-over")
    assert done.exit_code == 0, done.output
    assert file.read_bytes() == before
    with open_engine(home=home) as engine:
        assert [one.dataset_id for one in engine.workbench.catalogue.datasets()] == ["core"]
        assert engine.workbench.catalogue.artifacts() == []  # it was registered elsewhere


@pytest.mark.usefixtures("desk")
def test_a_file_of_mlflow_s_runs_is_no_catalogue(home, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    for _ in range(2):
        with open_engine(home=home) as engine:
            engine.workbench.tracker.open_runs()
    assert "no catalogue of before" in run(home, "carry-over").output
    (home / "registry_db" / "ordinis.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(DataCorrupt):
        open_engine(home=home)
