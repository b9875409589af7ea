"""What the gate asks stands in the database in which it decides, wherever that is."""

from datetime import UTC, datetime

from ordinis_learn import open_engine
from ordinis_learn.records import DriftFinding, DriftReport, ModelType
from ordinis_learn.use_cases.alerting import remember
from ordinis_registry import GovernanceDatabase
from ordinis_registry.catalogue import is_drift_breached

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
