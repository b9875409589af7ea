"""What the default policy asks to see of a signal model, made up: training, scorecard, shadow run and approval."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ordinis_learn.records import (
    DECLARED,
    Approval,
    Interval,
    ModelArtifact,
    ModelType,
    OverfittingFigures,
    PairedDifference,
    Scorecard,
    ScorecardStatistics,
    ShadowReport,
    State,
)


def now():
    return datetime.now(UTC)


def training_record(subject):
    return ModelArtifact(
        artifact_id=f"bench-{subject.version}",
        model_type=ModelType.SIGNAL_MODEL,
        version=subject.version,
        path_ref=f"models:/{subject.name}/{subject.version}",
        metrics={},
        created_at=(now() - timedelta(days=60)).isoformat(),
        data_snapshot_ref=DECLARED,
        name=subject.name,
        code_commit="",
        code_dirty=False,
        config_hash="1" * 64,
        env_hash="2" * 64,
        artifact_sha256=subject.artifact_sha256,
        seed=7,
        trainer="bench",
    )


def scorecard(subject, baseline, *, pack):
    difference = PairedDifference(
        metric="sharpe",
        estimate=0.45,
        interval=Interval(low=0.2, high=0.7, level=0.95),
        null=0.0,
        p_value=0.004,
        alpha=0.05,
        method="ledoit_wolf_2008",
        block_length=6,
        draws=4999,
        minimum_detectable=0.3,
        sessions=2500,
        sessions_needed=900.0,
        verdict="pass",
    )
    return Scorecard(
        subject=subject,
        baseline=baseline,
        pack_id=pack,
        pack_hash="6" * 64,
        metrics={"sharpe": 1.2, "max_drawdown": 0.20},
        baseline_metrics={"sharpe": 0.75, "max_drawdown": 0.22} if baseline else {},
        differences={"sharpe": difference} if baseline else {},
        regimes=(),
        windows=40,
        purged_windows=(),
        sessions=2500,
        pack_end=(now() - timedelta(days=400)).date(),
        trials=1,
        probabilistic_sharpe=0.99,
        deflated_sharpe=0.97,
        errors=0,
        error_rate=0.0,
        baseline_error_rate=0.0 if baseline else None,
        metric_quality={},
        fee_bps=1.0,
        slippage_bps=5.0,
        dataset_ref=DECLARED,
        code_commit="",
        seed=7,
        created_at=now(),
        statistics=_statistics(baseline),
    )


def _statistics(baseline):
    """What the card says about chance: enough for the default policy."""
    chosen = OverfittingFigures(
        probability=0.01,
        loss_probability=0.0,
        degradation=-0.2,
        blocks=16,
        splits=12_870,
        sessions=2500,
        candidates=("1", "2"),
        left_out={},
    )
    return ScorecardStatistics(
        convention="2012 and 2025",
        skewness=-0.3,
        kurtosis=6.0,
        autocorrelation=0.02,
        probabilistic_sharpe_2012=0.99,
        probabilistic_sharpe_2025=0.99,
        deflated_sharpe_2012=0.97,
        deflated_sharpe_2025=0.96,
        track_record_confidence=0.95,
        min_track_record_sessions_2012=1250.0,
        min_track_record_sessions_2025=1300.0,
        p_values={"sharpe": 0.004, "max_drawdown": 0.3, "deflated_sharpe": 0.03},
        adjusted_p_values={"sharpe": 0.012, "max_drawdown": 0.3, "deflated_sharpe": 0.06},
        block_coverage={"6": 0.9},
        overlap="purge",
        system={
            "error_rate": 0.0,
            "quarantine_rate": 0.0,
            "latency_ms_p50": 0.4,
            "latency_ms_p95": 0.9,
            "baseline_quarantine_rate": 0.0,
        },
        overfitting=chosen if baseline else None,
    )


def shadow_report(subject, active):
    return ShadowReport(
        subject=subject,
        active=active,
        start=now() - timedelta(days=40),
        end=now() - timedelta(days=1),
        calendar_days=39,
        sessions=27,
        decisions=400,
        paired_decisions=400 if active else 0,
        unpaired=0,
        errors=0,
        nan_predictions=0,
        matured=380,
        parity_max_abs_diff=0.0,
        latency_ms_p50=0.4,
        latency_ms_p95=0.9,
        loss_difference=-0.03 if active else None,
        loss_interval=Interval(low=-0.09, high=0.03, level=0.95) if active else None,
        predictions_sha256="7" * 64,
        created_at=now(),
    )


def approval(subject, *, approver, evidence_hash):
    return Approval(
        subject=subject,
        target=State.ACTIVE,
        answer="approve",
        evidence_hash=evidence_hash,
        approver=approver,
        given_at=now(),
        expires_at=now() + timedelta(days=14),
    )
