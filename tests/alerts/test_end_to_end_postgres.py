"""Real commands over a registry on PostgreSQL: drift, alert, order, rollback, done; and a request to train that a pipeline answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid

import pytest
import sqlalchemy as sa

from ordinis_learn import open_engine
from ordinis_learn.market import replay
from ordinis_learn.market.limits import DeskParameters
from ordinis_learn.records import Actor, Role
from ordinis_learn.use_cases.generate_pack import generate_bench_pack, pack_spec
from ordinis_learn.use_cases.sign import create_identity

from .conftest import POLICY, SETTINGS, history, promote

pytestmark = pytest.mark.slow
SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
MODEL = "desk_rule"
RESPONSES = """
schema_version: 1.0.0
policy_id: response_desk
persistence:
  warning: {k: 1, n: 1}
  critical: {k: 1, n: 1}
close_after_clean_checks: 3
escalation: {after_repeats: 3, after_hours: 24}
training_failures: {count: 3, within_hours: 24}
dead_man_hours: 26
drill_every_days: 90
cool_down_hours: 72
rules:
  - name: stuck_feed
    when: {kind: [drift], metric: [constant]}
    do: [block_promotions, roll_back, request_retrain]
"""
AROUND = {
    "GOV_POLICY_VERSION": "desk_v1",
    "LEARN_RESPONSE_POLICY": "response_desk",
    "LEARN_DRIFT_DATASET": "core",
    "LEARN_DRIFT_WINDOW_SESSIONS": "10",
    "LEARN_MIN_SAMPLES": "100",
    "ORDINIS_ACTOR": "monitor",
}


@pytest.fixture(scope="module")
def server_database():
    """A database of its own, for MLflow's runs and models and for ours."""
    admin = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"ordinis_watch_{uuid.uuid4().hex[:12]}"
    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except (ModuleNotFoundError, sa.exc.OperationalError):
        pytest.skip("no PostgreSQL server or no driver; ORDINIS_TEST_POSTGRES_URL names one")
    yield sa.make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def standing_still(event):
    """Let one feature stand still: a feed that is stuck."""
    text = json.loads(json.dumps(event))
    features = text["payload"].get("metadata", {}).get("features")
    if features and "vol_ratio" in features:
        features["vol_ratio"] = 1.0
    return text


@pytest.fixture(scope="module")
def desk(server_database, tmp_path_factory):
    """A home with two versions promoted, the second ACTIVE, and twelve sessions in which a feature stands still."""
    home = tmp_path_factory.mktemp("desk")
    (home / "policies").mkdir()
    (home / "policies" / "desk_v1.yaml").write_text(POLICY)
    (home / "policies" / "response_desk.yaml").write_text(RESPONSES)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AROUND.items():
            patch.setenv(name, value)
        patch.setenv("ORDINIS_HOME", str(home))
        patch.setenv("MLFLOW_TRACKING_URI", server_database)
        patch.setenv("MLFLOW_REGISTRY_URI", f"ordinis+{server_database}")
        with open_engine(home=home, **SETTINGS) as engine:
            grow(engine)
        yield home
        patch.undo()


def grow(engine):
    bench, days = engine.workbench, history().sessions
    cadence = DeskParameters(cadence_sessions=1)
    day = [str(one)[:10] for one in days]

    def told(first, last):
        from datetime import date

        return replay(
            history(),
            seed=5,
            desk=cadence,
            start=date.fromisoformat(day[first]),
            end=date.fromisoformat(day[last]),
        )

    bench.recorder.record_events(told(0, 567))
    bench.recorder.record_events(standing_still(event) for event in told(568, 579))
    engine.build_dataset("core", {"start": day[256], "end": day[519]})
    create_identity(bench, "risk", roles=(Role.APPROVER,), actor=Actor(name="head", kind="claimed"))
    for seed in (1, 2):
        promote(engine, engine.train({"name": MODEL, "model": "rule", "seed": seed}))
    settings = bench.settings.model_copy(
        update={"bench_years_lookback": 1, "bench_windows_months": (3, 6), "bench_packs_per_universe": 6}
    )
    spec = pack_spec(settings, pack_id="bench_core_v1", seed=7, end=history().sessions[560].astype(object))
    generate_bench_pack(bench, spec)


def command(home, *words):
    whole = [sys.executable, "-I", "-m", "ordinis_learn", "--home", str(home), *words]
    done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_pass_of_the_watch_goes_from_drift_to_a_rollback_that_is_done_and_a_pipeline_answers_the_request(
    desk, server_database
):
    said = command(desk, "watch", "--once")
    assert f"orders: roll_back of {MODEL}: rolled back to v1" in said
    assert not (desk / "registry_db" / "ordinis.db").exists()
    with open_engine(home=desk) as engine:
        bench = engine.workbench
        assert bench.registry.active_version(MODEL) == "1"
        done = {one.action: one for one in bench.alerts.responses(pending=False)}
        assert set(done) == {"block_promotions", "roll_back"}
        order = done["roll_back"]
        assert (order.version, order.outcome) == ("2", "rolled back to v1")
        alert = bench.alerts.alert(order.alert_id)
        assert (alert.kind, alert.version, alert.blocks) == ("drift", "2", True)
        actions = [record.action for record in bench.ledger.history(MODEL)]
        places = [actions.index(one) for one in ("response.ordered", "rolled_back", "response.completed")]
        assert places == sorted(places)
        (request,) = bench.alerts.responses(pending=True)
        assert (request.action, request.model) == ("request_retrain", MODEL)
    again = command(desk, "watch", "--once")  # version 1 is checked now, and sees the same stuck feed
    assert "rolled back to" not in again
    assert f"roll_back of {MODEL} v1 waits: " in again
    with open_engine(home=desk) as engine:
        assert engine.workbench.registry.active_version(MODEL) == "1"

    days = [str(one)[:10] for one in history().sessions]
    words = (
        "--dataset",
        "core",
        "--start",
        days[256],
        "--end",
        days[519],
        "--until",
        days[410],
        "--rounds",
        "20",
    )
    piped = command(desk, "pipeline", "--requested", "--name", MODEL, "--request", "shadow", *words)
    assert f"{MODEL} v3, run " in piped
    assert "request shadow: granted" in piped
    with open_engine(home=desk) as engine:
        bench = engine.workbench
        answered = bench.alerts.responses(pending=False)
        (oldest,) = [one for one in answered if one.action == "request_retrain"]
        assert oldest.response_id == request.response_id
        assert oldest.outcome.startswith("trained as version 3 in run ")
        # The next request, and the rollback that waits for the end of the cool-down.
        waiting = {(one.version, one.action) for one in bench.alerts.responses(pending=True)}
        assert waiting == {("1", "request_retrain"), ("1", "roll_back")}
        assert bench.registry.active_version(MODEL) == "1"
        assert bench.registry.state(MODEL, "3").value == "SHADOW"
        assert bench.ledger.verify() == []
    database = sa.create_engine(server_database, poolclass=sa.NullPool)
    with database.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM learn_responses WHERE status = 'done'")) == 4
        assert connection.scalar(sa.text("SELECT count(*) FROM model_registry")) == 3
    database.dispose()
