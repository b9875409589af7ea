"""A desk with real keys, and a bundle of evidence that passes."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta

import pytest

from ordinis_learn.records import (
    Actor,
    Approval,
    DatasetManifest,
    DatasetValidation,
    DatasetWindow,
    EventRange,
    Interval,
    JoinQuality,
    ModelArtifact,
    ModelRef,
    ModelType,
    PairedDifference,
    Regime,
    RegimeRow,
    Role,
    Scorecard,
    ShadowReport,
    State,
)
from ordinis_learn.rollout import (
    SHADOW_TAG,
    TRAINING_TAG,
    Evidence,
    KeyStore,
    approval_tag,
    evidence_hash,
    load_policy,
    read_evidence,
    scorecard_tag,
    sign,
)
from ordinis_learn.settings import load_settings
from ordinis_learn.testing.statistics import overfitting_figures, sure_statistics

NOW = datetime(2022, 12, 28, 21, tzinfo=UTC)
PACK = "bench_core_v1"
SUBJECT = ModelRef(name="sp500_signal", version="2", artifact_sha256="a" * 64)
INCUMBENT = ModelRef(name="sp500_signal", version="1", artifact_sha256="b" * 64)
REQUESTER = Actor(name="researcher", kind="claimed")


def days_ago(days):
    return NOW - timedelta(days=days)


def make_artifact(**changes):
    fields = {
        "artifact_id": "ART-2",
        "model_type": ModelType.SIGNAL_MODEL,
        "version": SUBJECT.version,
        "path_ref": "models:/sp500_signal/2",
        "metrics": {"val_logloss": 0.68, "undefined": float("nan")},
        "created_at": "2022-12-20T00:00:00Z",
        "data_snapshot_ref": "core@v1",
        "name": SUBJECT.name,
        "code_commit": "c0ffee",
        "code_dirty": False,
        "config_hash": "1" * 64,
        "env_hash": "2" * 64,
        "artifact_sha256": SUBJECT.artifact_sha256,
        "seed": 7,
        "trials": 12,
        "data_sha256": "d" * 64,
        "trained_from": "1991-01-02",
        "trained_until": "2018-12-31",
        "trainer": "researcher",
    }
    return ModelArtifact.model_validate(fields | changes)


def make_manifest(**changes):
    fields = {
        "dataset_id": "core",
        "version": "v1",
        "kind": "signal",
        "window": DatasetWindow(start=date(1991, 1, 2), end=date(2018, 12, 31)),
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
        "created_at": days_ago(10),
    }
    return DatasetManifest.model_validate(fields | changes)


def make_difference(**changes):
    fields = {
        "metric": "sharpe",
        "estimate": 0.45,
        "interval": Interval(low=0.2, high=0.7, level=0.95),
        "null": 0.0,
        "p_value": 0.004,
        "alpha": 0.05,
        "method": "ledoit_wolf_2008",
        "block_length": 6,
        "draws": 4999,
        "minimum_detectable": 0.3,
        "sessions": 2500,
        "sessions_needed": 900.0,
        "verdict": "pass",
    }
    return PairedDifference.model_validate(fields | changes)


def make_scorecard(**changes):
    fields = {
        "subject": SUBJECT,
        "baseline": INCUMBENT,
        "pack_id": PACK,
        "pack_hash": "6" * 64,
        "metrics": {"sharpe": 1.2, "max_drawdown": 0.20, "sortino": None},
        "baseline_metrics": {"sharpe": 0.75, "max_drawdown": 0.22},
        "differences": {"sharpe": make_difference()},
        "regimes": (
            RegimeRow(
                regime=Regime.BULL,
                windows=3,
                sessions=400,
                subject={"sharpe": 1.0},
                baseline={"sharpe": float("nan")},
            ),
        ),
        "windows": 40,
        "purged_windows": (),
        "sessions": 2500,
        "pack_end": date(2021, 12, 31),
        "trials": 12,
        "probabilistic_sharpe": 0.99,
        "deflated_sharpe": 0.97,
        "errors": 0,
        "error_rate": 0.0,
        "baseline_error_rate": 0.0,
        "metric_quality": {"sortino": "undefined: no session lost"},
        "fee_bps": 1.0,
        "slippage_bps": 5.0,
        "dataset_ref": "core@v1",
        "code_commit": "c0ffee",
        "seed": 7,
        "created_at": days_ago(5),
        "statistics": sure_statistics(),
    }
    return Scorecard.model_validate(fields | changes)


def make_shadow(**changes):
    fields = {
        "subject": SUBJECT,
        "active": INCUMBENT,
        "start": datetime(2022, 1, 3, tzinfo=UTC),
        "end": datetime(2022, 12, 27, tzinfo=UTC),
        "calendar_days": 358,
        "sessions": 248,
        "decisions": 1000,
        "paired_decisions": 1000,
        "unpaired": 0,
        "errors": 0,
        "nan_predictions": 0,
        "matured": 960,
        "parity_max_abs_diff": 0.0,
        "latency_ms_p50": 0.4,
        "latency_ms_p95": 0.9,
        "loss_difference": -0.03,
        "loss_interval": Interval(low=-0.09, high=0.03, level=0.95),
        "predictions_sha256": "7" * 64,
        "created_at": days_ago(1),
    }
    return ShadowReport.model_validate(fields | changes)


def make_approval(bound_to, **changes):
    fields = {
        "subject": SUBJECT,
        "target": State.ACTIVE,
        "answer": "approve",
        "evidence_hash": bound_to,
        "approver": "model-risk",
        "given_at": NOW - timedelta(hours=1),
        "expires_at": NOW + timedelta(days=14),
    }
    return Approval.model_validate(fields | changes)


def with_approval(evidence, **changes):
    """Evidence with one approval of exactly this evidence."""
    return dataclasses.replace(evidence, approvals=(make_approval(evidence_hash(evidence), **changes),))


def make_evidence(**changes):
    """Evidence for ACTIVE with an incumbent, before anyone has approved it."""
    fields = {
        "subject": SUBJECT,
        "state": State.SHADOW,
        "artifact": make_artifact(),
        "scorecards": {PACK: make_scorecard()},
        "shadow": make_shadow(),
        "stored_sha256": SUBJECT.artifact_sha256,
        "dataset": make_manifest(),
        "incumbent": INCUMBENT,
        "trained_by": "learn-service",
    }
    return Evidence(**(fields | changes))


class Desk:
    """Identities with real keys, and the tags that a passing version carries."""

    def __init__(self, folder):
        self.keys = KeyStore(folder)
        self.identities = [
            self.add("learn-service", Role.TRAINER, Role.EVALUATOR, Role.SHADOW_RUNNER),
            self.add("model-risk", Role.APPROVER),
            self.add("head-of-desk", Role.APPROVER),
        ]
        self.tags = {
            TRAINING_TAG: self.sign("training", make_artifact()),
            scorecard_tag(PACK): self.sign("scorecard", make_scorecard()),
            SHADOW_TAG: self.sign("shadow", make_shadow()),
        }
        answer = make_approval(evidence_hash(self.read()))
        self.tags[approval_tag("model-risk")] = self.sign("approval", answer, by="model-risk")

    def add(self, name, *roles):
        self.keys.create(name)
        return self.keys.identity(name, roles=roles, clock=lambda: days_ago(100))

    def sign(self, kind, record, *, by="learn-service", subject=SUBJECT):
        return sign(kind, subject=subject, predicate=record, signer=self.keys.signer(by))

    def read(self, tags=None, **changes):
        facts = {
            "subject": SUBJECT,
            "state": State.SHADOW,
            "identities": self.identities,
            "stored_sha256": SUBJECT.artifact_sha256,
            "dataset": make_manifest(),
            "incumbent": INCUMBENT,
            "drift_breached": False,
            "now": NOW,
        }
        return read_evidence(self.tags if tags is None else tags, **(facts | changes))


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    return Desk(tmp_path_factory.mktemp("desk") / "keys")


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    return load_settings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def policy(settings):
    return load_policy(settings=settings)


@pytest.fixture(scope="session")
def make():
    """The builders, as one value: tests are not a package and cannot import each other."""
    return Builders()


class Builders:
    now, pack, subject, incumbent, requester = NOW, PACK, SUBJECT, INCUMBENT, REQUESTER
    days_ago = staticmethod(days_ago)
    artifact = staticmethod(make_artifact)
    manifest = staticmethod(make_manifest)
    difference = staticmethod(make_difference)
    scorecard = staticmethod(make_scorecard)
    statistics = staticmethod(sure_statistics)
    overfitting = staticmethod(overfitting_figures)
    shadow = staticmethod(make_shadow)
    approval = staticmethod(make_approval)
    evidence = staticmethod(make_evidence)
    approved = staticmethod(with_approval)
    desk = Desk
