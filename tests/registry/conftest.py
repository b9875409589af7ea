"""Records to store, and databases of every kind that is at hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from ordinis_learn.records import (
    DECLARED,
    Actor,
    BenchPackManifest,
    BenchWindow,
    DatasetManifest,
    DatasetValidation,
    DatasetWindow,
    DriftAlert,
    DriftFinding,
    DriftReport,
    EventRange,
    JoinQuality,
    ModelArtifact,
    ModelRef,
    ModelType,
    Regime,
    Scorecard,
)
from ordinis_learn.testing.catalogue import InMemoryCatalogue
from ordinis_registry import GovernanceDatabase, SqlCatalogue

NOW = datetime(2022, 12, 28, 21, tzinfo=UTC)


class Builders:
    """One value with all builders: tests are not a package and cannot import each other."""

    now = NOW
    actor = Actor(name="researcher", kind="claimed")

    @staticmethod
    def manifest(**changes):
        fields = {
            "dataset_id": "core",
            "version": "v1",
            "kind": "signal",
            "window": DatasetWindow(start=date(2001, 1, 2), end=date(2001, 12, 31)),
            "files": (),
            "content_sha256": "d" * 64,
            "columns": {"symbol": "string"},
            "feature_names": ("ret_1",),
            "rows": 5000,
            "label_stats": {},
            "profile": {},
            "event_range": EventRange(types=(), count=0, first=None, last=None, log_position=0),
            "join_quality": JoinQuality(),
            "query_hash": "3" * 64,
            "code_commit": "c0ffee",
            "config_hash": "4" * 64,
            "suite_hash": "5" * 64,
            "validation": DatasetValidation(success=True, evaluated=14, expected=14),
            "created_at": NOW,
        }
        return DatasetManifest.model_validate(fields | changes)

    @staticmethod
    def artifact(**changes):
        fields = {
            "artifact_id": "ART-1",
            "model_type": ModelType.SIGNAL_MODEL,
            "version": "1",
            "path_ref": "models:/sp500_signal/1",
            "metrics": {"val_logloss": 0.68, "undefined": float("nan")},
            "created_at": NOW.isoformat(),
            "data_snapshot_ref": DECLARED,
            "name": "sp500_signal",
            "code_commit": "c0ffee",
            "code_dirty": False,
            "config_hash": "1" * 64,
            "env_hash": "2" * 64,
            "artifact_sha256": "a" * 64,
            "seed": 7,
        }
        return ModelArtifact.model_validate(fields | changes)

    @staticmethod
    def pack(**changes):
        window = BenchWindow(
            window_id="w1",
            start=date(2001, 1, 2),
            end=date(2001, 3, 30),
            months=3,
            regimes=(Regime.BEAR,),
        )
        fields = {
            "generator_version": "1.0.0",
            "pack_id": "bench_core_v1",
            "universe": ("AAPL", "MSFT"),
            "start": date(2001, 1, 2),
            "end": date(2010, 12, 31),
            "timeframe": "1d",
            "regimes": (Regime.BEAR,),
            "seed": 7,
            "data_refs": {"prices": "sp500"},
            "data_sha256": "8" * 64,
            "windows": (window,),
            "manifest_hash": "9" * 64,
        }
        return BenchPackManifest.model_validate(fields | changes)

    @staticmethod
    def scorecard(**changes):
        fields = {
            "subject": ModelRef(name="sp500_signal", version="1", artifact_sha256="a" * 64),
            "baseline": None,
            "pack_id": "bench_core_v1",
            "pack_hash": "9" * 64,
            "metrics": {"sharpe": 1.2, "sortino": None},
            "baseline_metrics": {},
            "differences": {},
            "regimes": (),
            "windows": 1,
            "purged_windows": (),
            "sessions": 60,
            "trials": 1,
            "probabilistic_sharpe": 0.9,
            "deflated_sharpe": None,
            "errors": 0,
            "error_rate": 0.0,
            "baseline_error_rate": None,
            "metric_quality": {"sortino": "undefined: no session lost"},
            "fee_bps": 1.0,
            "slippage_bps": 5.0,
            "dataset_ref": DECLARED,
            "code_commit": "c0ffee",
            "seed": 7,
            "created_at": NOW,
        }
        return Scorecard.model_validate(fields | changes)

    @staticmethod
    def drift(**changes):
        finding = DriftFinding(
            feature="vol_20",
            metric="psi",
            value=0.4,
            threshold=0.2,
            p_value=0.001,
            q_value=0.004,
            severity="critical",
        )
        fields = {
            "model": "sp500_signal",
            "version": "1",
            "dataset_ref": "core@v1",
            "start": NOW - timedelta(days=30),
            "end": NOW,
            "reference_rows": 5000,
            "current_rows": 400,
            "alpha": 0.05,
            "findings": (finding,),
            "breached": True,
            "created_at": NOW,
        }
        return DriftReport.model_validate(fields | changes)

    @staticmethod
    def alert(**changes):
        fields = {
            "alert_id": "DRIFT-1",
            "model": "sp500_signal",
            "version": "1",
            "severity": "critical",
            "features": ("vol_20",),
            "metric": "psi",
            "value": 0.4,
            "threshold": 0.2,
            "action": "block_promotions",
            "at": NOW,
        }
        return DriftAlert.model_validate(fields | changes)


@pytest.fixture(scope="session")
def make():
    return Builders()


@pytest.fixture
def database(tmp_path):
    database = GovernanceDatabase(f"sqlite:///{tmp_path / 'ordinis.db'}")
    database.upgrade()
    yield database
    database.close()


@pytest.fixture(params=["memory", "sqlite"])
def catalogue(request):
    """Every catalogue there is: all must pass the same tests."""
    if request.param == "memory":
        return InMemoryCatalogue(clock=lambda: NOW)
    return SqlCatalogue(request.getfixturevalue("database"), clock=lambda: NOW)
