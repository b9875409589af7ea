from datetime import UTC, date, datetime, timedelta

import pytest

from ordinis_learn.records import (
    Actor,
    Approval,
    AuditRecord,
    DatasetFile,
    DatasetManifest,
    DatasetValidation,
    DatasetWindow,
    DriftFinding,
    DriftReport,
    EventRange,
    GateDecision,
    Interval,
    JoinQuality,
    LabelStats,
    ModelArtifact,
    ModelRef,
    ModelType,
    OverfittingFigures,
    PairedDifference,
    Regime,
    RegimeRow,
    RuleVerdict,
    Scorecard,
    ScorecardStatistics,
    ShadowReport,
    State,
    hash_of,
)
from ordinis_learn.rollout.dossier import Dossier, png_data_uri

NOW = datetime(2022, 12, 29, 14, 3, 20, tzinfo=UTC)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def digest(letter):
    return letter * 64


def chain(entries, *, subject):
    """A ledger as the contract of AuditRecord defines it."""
    records, previous = [], "0" * 64
    for sequence, (action, actor, body) in enumerate(entries, start=1):
        draft = AuditRecord(
            subject=subject,
            sequence=sequence,
            action=action,
            actor=actor,
            at=NOW - timedelta(days=30 - sequence),
            body=body,
            previous_hash=previous,
            hash="0" * 64,
        )
        content = {key: value for key, value in draft.to_json().items() if key != "hash"}
        previous = hash_of(content, domain="ordinis.ledger.v1")
        records.append(draft.model_copy(update={"hash": previous}))
    return tuple(records)


def _artifact(name):
    return ModelArtifact(
        artifact_id="art-7f31c2",
        model_type=ModelType.SIGNAL_MODEL,
        version="2",
        path_ref="data/models/1/models/m-7f31c2/artifacts",
        metrics={"valid_logloss": 0.6911, "rank_ic": 0.0213},
        created_at="2022-12-29T13:40:02Z",
        data_snapshot_ref="sp500_core@8c1f22ab",
        name=name,
        code_commit="b7b74de4f0",
        code_dirty=True,
        config_hash=digest("c"),
        env_hash=digest("e"),
        artifact_sha256=digest("a"),
        seed=7,
        trials=12,
        trained_from="1991-01-02",
        trained_until="2006-12-29",
        run_id="9d2e0b54",
        trainer="learn-service",
    )


def _dataset():
    return DatasetManifest(
        dataset_id="sp500_core",
        version="8c1f22ab",
        kind="signal",
        window=DatasetWindow(start=date(1991, 1, 2), end=date(2006, 12, 29)),
        files=(DatasetFile(path="part-0.parquet", sha256=digest("f"), rows=33120, bytes=4_812_331),),
        content_sha256=digest("d"),
        columns={"f_ret_1": "double"},
        feature_names=("ret_1", "vol_20", "mom_126"),
        rows=33120,
        label_stats={
            "1d": LabelStats(
                labelled=33120, mean=0.00041, std=0.0212, positive_share=0.517, effective_samples=33120.0
            ),
            "20d": LabelStats(
                labelled=33020, mean=None, std=None, positive_share=None, effective_samples=1651.0
            ),
        },
        profile={},
        event_range=EventRange(
            types=("ordinis.signals.generated", "ordinis.market.bar.closed"),
            count=212_000,
            first=NOW,
            last=NOW,
            log_position=212_000,
        ),
        join_quality=JoinQuality(carried=30_012, inferred=88, none=3020),
        query_hash=digest("1"),
        code_commit="b7b74de4f0",
        config_hash=digest("2"),
        suite_hash=digest("3"),
        validation=DatasetValidation(
            success=True, evaluated=31, expected=31, warnings=("vol_20 repeats", "few fills")
        ),
        created_at=NOW,
    )


def _scorecard(subject, baseline):
    difference = PairedDifference(
        metric="sharpe",
        estimate=0.062,
        interval=Interval(low=-0.31, high=0.44, level=0.95),
        null=0.0,
        p_value=0.372,
        alpha=0.05,
        method="Ledoit-Wolf circular block bootstrap",
        block_length=6,
        draws=4999,
        minimum_detectable=0.48,
        sessions=3775,
        sessions_needed=226_400.0,
        verdict="inconclusive",
    )
    return Scorecard(
        subject=subject,
        baseline=baseline,
        pack_id="bench_core_v1",
        pack_hash=digest("9"),
        metrics={"sharpe": 0.671, "cagr": 0.0812, "max_drawdown": 0.318, "sortino": float("nan")},
        baseline_metrics={"sharpe": 0.609, "cagr": 0.0774, "max_drawdown": 0.402, "sortino": 0.88},
        differences={"sharpe": difference},
        regimes=(
            RegimeRow(
                regime=Regime.BULL,
                windows=18,
                sessions=2268,
                subject={"sharpe": 1.31, "max_drawdown": 0.12},
                baseline={"sharpe": 1.28, "max_drawdown": 0.13},
            ),
            RegimeRow(
                regime=Regime.VOL_SPIKE,
                windows=4,
                sessions=310,
                subject={"sharpe": -0.84, "max_drawdown": 0.318},
                baseline={"sharpe": float("nan"), "max_drawdown": 0.402},
            ),
        ),
        windows=50,
        purged_windows=("w-003",),
        sessions=3775,
        trials=12,
        probabilistic_sharpe=0.994,
        deflated_sharpe=0.913,
        errors=0,
        error_rate=0.0,
        baseline_error_rate=0.0,
        metric_quality={"sortino": "undefined: no losing session"},
        fee_bps=1.0,
        slippage_bps=2.0,
        dataset_ref="sp500_core@8c1f22ab",
        code_commit="b7b74de4f0",
        seed=7,
        created_at=NOW,
        statistics=_statistics(),
    )


def _statistics():
    return ScorecardStatistics(
        convention="2012 and 2025",
        skewness=-0.41,
        kurtosis=9.7,
        autocorrelation=-0.032,
        probabilistic_sharpe_2012=0.994,
        probabilistic_sharpe_2025=0.996,
        deflated_sharpe_2012=0.913,
        deflated_sharpe_2025=0.921,
        track_record_confidence=0.95,
        min_track_record_sessions_2012=1623.0,
        min_track_record_sessions_2025=1489.0,
        p_values={"sharpe": 0.372, "deflated_sharpe": 0.087},
        adjusted_p_values={"sharpe": 0.372, "deflated_sharpe": 0.174},
        block_coverage={"3": 0.86, "6": 0.91},
        overlap="purge",
        system={"latency_ms_p50": 0.42, "latency_ms_p95": 0.97, "quarantine_rate": 0.0},
        overfitting=OverfittingFigures(
            probability=0.204,
            loss_probability=0.011,
            degradation=-0.7,
            blocks=16,
            splits=12_870,
            sessions=3775,
            candidates=("1", "2"),
            left_out={"3": "was trained on more than half of the sessions"},
        ),
    )


def _decision(subject, incumbent, *, to_state, allowed, evidence):
    verdicts = [
        RuleVerdict(
            rule="artifact_intact",
            verdict="pass",
            code="",
            asked="the stored bytes hash to what was registered",
            found=f"{subject.artifact_sha256[:12]}… both",
            source="registry",
        )
    ]
    if not allowed:
        verdicts += [
            RuleVerdict(
                rule="sharpe_significant",
                verdict="inconclusive",
                code="E_LEARN_GATE_FAILED",
                asked="better than version 1 at α = 0.05",
                found="ΔSharpe 0.062, p = 0.372, detectable 0.48",
                source="scorecard bench_core_v1",
                next_step="judge it on a longer pack",
            ),
            RuleVerdict(
                rule="approvals",
                verdict="fail",
                code="E_LEARN_APPROVAL_MISSING",
                asked="1 approval by somebody other than alice",
                found="0",
                source="approvals",
                next_step="ordinis-learn approve sp500_signal 2 --as model-risk",
            ),
        ]
    return GateDecision(
        subject=subject,
        from_state=State.SHADOW if to_state is State.ACTIVE else State.CANDIDATE,
        to_state=to_state,
        allowed=allowed,
        code="" if allowed else "E_LEARN_ROLLOUT_DENIED",
        verdicts=tuple(verdicts),
        rule_set="default",
        policy_id="gov_v1",
        policy_hash=digest("b"),
        evidence_hash=evidence,
        incumbent=incumbent,
        requester=Actor(name="alice", kind="os_user"),
        approvers=("model-risk",) if allowed and to_state is State.ACTIVE else (),
        decided_at=NOW,
    )


def _drift():
    def finding(feature, metric, value, severity):
        return DriftFinding(
            feature=feature,
            metric=metric,
            value=value,
            threshold=0.41,
            p_value=0.0005,
            q_value=0.002,
            severity=severity,
        )

    return DriftReport(
        model="sp500_signal",
        version="1",
        dataset_ref="sp500_core@8c1f22ab",
        start=datetime(2022, 1, 3, tzinfo=UTC),
        end=datetime(2022, 12, 28, tzinfo=UTC),
        reference_rows=33120,
        current_rows=4980,
        alpha=0.05,
        findings=(
            finding("ret_1", "psi", 0.093, "none"),
            finding("ret_1", "ks", 0.051, "none"),
            finding("mom_126", "psi", 1.448, "critical"),
        ),
        breached=True,
        created_at=NOW,
    )


def _shadow(subject, incumbent):
    return ShadowReport(
        subject=subject,
        active=incumbent,
        start=datetime(2022, 1, 3, tzinfo=UTC),
        end=datetime(2022, 6, 30, tzinfo=UTC),
        calendar_days=179,
        sessions=124,
        decisions=2480,
        paired_decisions=2480,
        unpaired=0,
        errors=0,
        nan_predictions=0,
        matured=2380,
        parity_max_abs_diff=0.0,
        latency_ms_p50=0.061,
        latency_ms_p95=0.094,
        loss_difference=-0.0021,
        loss_interval=Interval(low=-0.019, high=0.015, level=0.95),
        predictions_sha256=digest("5"),
        created_at=NOW,
    )


def make_dossier(*, name="sp500_signal", comment="read the dossier; the edge is not shown", faults=()):
    subject = ModelRef(name=name, version="2", artifact_sha256=digest("a"))
    incumbent = ModelRef(name=name, version="1", artifact_sha256=digest("8"))
    alice = Actor(name="alice", kind="os_user")
    decisions = (
        _decision(subject, incumbent, to_state=State.SHADOW, allowed=True, evidence=digest("6")),
        _decision(subject, incumbent, to_state=State.ACTIVE, allowed=False, evidence=digest("7")),
    )
    approval = Approval(
        subject=subject,
        target=State.ACTIVE,
        answer="refuse",
        evidence_hash=digest("7"),
        approver="model-risk",
        comment=comment,
        given_at=NOW,
        expires_at=NOW + timedelta(days=30),
    )
    entries = [("version.registered", alice, {"version": "2", "seed": 7, "share": 0.25})]
    entries += [
        (
            f"rollout.{'allowed' if d.allowed else 'denied'}",
            alice,
            {"decision": d.to_json(), "pointers": {"active": "1", "shadow": ["2"], "good": []}},
        )
        for d in decisions
    ]
    return Dossier(
        subject=subject,
        artifact=_artifact(name),
        state=State.SHADOW,
        dataset=_dataset(),
        scorecards=(_scorecard(subject, incumbent),),
        shadow=_shadow(subject, incumbent),
        approvals=(approval,),
        decisions=decisions,
        ledger=chain(entries, subject=name),
        ledger_faults=faults,
        incumbent=incumbent,
        drift=(_drift(),),
        plots=(("Equity and drawdown on bench_core_v1", png_data_uri(PNG)),),
        generated_at=NOW,
    )


@pytest.fixture
def dossier():
    return make_dossier
