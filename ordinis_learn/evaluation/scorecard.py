"""Judge a model on a benchmark pack, beside a baseline, and write the scorecard that gates read.

Both models see the same features, trade by the same rule at the same costs, and are measured on the same
sessions: those of at least one window that the subject's training has not touched.

The file is long because a scorecard has many fields; each is computed in a file of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ordinis_learn.bench import USUAL_LIMITS, Pack
from ordinis_learn.errors import ConfigInvalid, EvalFailed
from ordinis_learn.evaluation.block_length import BlockCalibration, calibrated_block_length
from ordinis_learn.evaluation.drawdown import compare_drawdown
from ordinis_learn.evaluation.latency import Timer, session_latency_ms
from ordinis_learn.evaluation.multiplicity import holm
from ordinis_learn.evaluation.purging import Overlap, split_windows
from ordinis_learn.evaluation.regime_table import regime_table
from ordinis_learn.evaluation.rivals import Rival, judge_choice
from ordinis_learn.evaluation.sharpe_confidence import (
    CONVENTION,
    TRACK_RECORD_CONFIDENCE,
    SharpeConfidence,
    Tried,
    sharpe_confidence,
)
from ordinis_learn.evaluation.sharpe_tests import compare_sharpe, compare_sharpe_hac, compare_sharpe_jkm
from ordinis_learn.evaluation.track import Track, run_track, sessions_in
from ordinis_learn.market import FeatureCube, compute_features
from ordinis_learn.models import SignalModel
from ordinis_learn.ports import Clock
from ordinis_learn.records import (
    BenchWindow,
    ModelArtifact,
    ModelRef,
    PairedDifference,
    Scorecard,
    ScorecardStatistics,
    TradingLimits,
)

__all__ = ["Evaluation", "Judgement", "evaluate_model", "judge_tracks"]

Float1D = npt.NDArray[np.float64]
Bool1D = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """A scorecard and the daily series behind it, for plots.

    Attributes
    ----------
    scorecard : Scorecard
    sessions : datetime64[D] array, shape (S,)
        The judged sessions, in order; stretches outside the windows are left out.
    subject_returns : float64 array, shape (S,)
    baseline_returns : float64 array, shape (S,), or None
    stress : tuple of BenchWindow
        The stress windows among those judged.
    """

    scorecard: Scorecard
    sessions: npt.NDArray[np.datetime64]
    subject_returns: Float1D
    baseline_returns: Float1D | None
    stress: tuple[BenchWindow, ...]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How thoroughly to judge.

    Attributes
    ----------
    draws : int
        Of the bootstrap of the Sharpe difference.
    calibrations : int
        Pseudo-sequences to choose its block length by; 0 takes ⌈T^⅓⌉.
    overlap : "purge" or "refuse"
        What to do with windows that the subject's training has touched.
    timer : Timer, optional
        Measures the latency of one session's answer; not measured without.
    limits : TradingLimits
        What both models may hold; the scorecard names limits that are not the usual ones.
    """

    draws: int = 2000
    calibrations: int = 0
    overlap: Overlap = "purge"
    timer: Timer | None = None
    limits: TradingLimits = USUAL_LIMITS


def evaluate_model(
    subject: SignalModel,
    *,
    subject_ref: ModelRef,
    baseline: SignalModel | None,
    baseline_ref: ModelRef | None,
    pack: Pack,
    artifact: ModelArtifact,
    fee_bps: float,
    slippage_bps: float,
    seed: int,
    clock: Clock,
    code_commit: str,
    earlier_trials: int = 0,
    earlier_sharpes: Sequence[float] = (),
    earlier_variances: Sequence[float] = (),
    rivals: Sequence[Rival] = (),
    rivals_left_out: Mapping[str, str] | None = None,
    judgement: Judgement | None = None,
) -> Evaluation:
    """Backtest subject and baseline over a pack and compare them on its windows.

    Each model is run once, continuously, over the pack's sessions; metrics are taken over the union of
    the windows' sessions (a session in three windows counts once), and per regime over the union of the
    windows that carry the tag (there the drawdown is that of the worst single window). Equity and the
    blocks of the bootstrap run on across the gaps between windows.

    Parameters
    ----------
    baseline, baseline_ref : optional
        Both or neither. Without them there are no differences, and the gate's first-model rule applies.
        A baseline's own training purges nothing: having seen a window makes it harder to beat.
    artifact : ModelArtifact
        The subject's: its training span purges windows; its ``trials`` and ``trial_sharpe_variance``
        (variance of per-session, not annual, Sharpe ratios across trials) deflate the Sharpe ratio.
    earlier_trials, earlier_sharpes, earlier_variances : int, sequences of float
        Models fitted for earlier versions of the name, those versions' per-session Sharpe ratios on this pack, and the variances
        of the searches behind them. The Sharpe ratio is deflated by all trials together, with the largest of all variances.
    seed : int
        Of the bootstraps. The same arguments give the same scorecard but for ``created_at`` and latencies.
    rivals, rivals_left_out : optional
        Earlier versions of the name, and why others are not among them: the choice between all of them is
        judged by its probability of overfitting.
    judgement : Judgement, optional
        Draws, calibration, overlap, timer.

    Raises
    ------
    ConfigInvalid
        Only one of ``baseline`` and ``baseline_ref`` is given, or a cost is negative.
    EvalFailed
        No window is left after purging, there is one to purge and overlap is refused, or a model cannot be
        asked at all.
    """
    if (baseline is None) != (baseline_ref is None):
        raise ConfigInvalid(
            f"evaluate {artifact.name} v{artifact.version}",
            found="a baseline without its reference, or a reference without its baseline",
            next_step="pass both baseline and baseline_ref, or neither",
        )
    how = judgement or Judgement()
    kept, purged = split_windows(
        pack, artifact=artifact, horizon_sessions=subject.horizon_sessions, overlap=how.overlap
    )
    cube = compute_features(pack.history)
    costs = {"fee_bps": fee_bps, "slippage_bps": slippage_bps}
    own = run_track(subject, cube=cube, pack=pack, limits=how.limits, **costs)
    other = (
        None if baseline is None else run_track(baseline, cube=cube, pack=pack, limits=how.limits, **costs)
    )
    keep = sessions_in(kept, pack=pack)
    tried = Tried(
        count=artifact.trials + earlier_trials,
        variance=artifact.trial_sharpe_variance,
        earlier_sharpes=tuple(earlier_sharpes),
        earlier_variances=tuple(earlier_variances),
    )
    findings = judge_tracks(own, other, keep=keep, tried=tried, seed=seed, judgement=how)
    overfitting, unjudged = judge_choice(
        own.returns,
        version=artifact.version,
        keep=keep,
        rivals=rivals,
        left_out=rivals_left_out or {},
        cube=cube,
        pack=pack,
        limits=how.limits,
        **costs,
    )
    system = _system(own, other, latencies=_latencies(subject, baseline, cube=cube, timer=how.timer))
    findings["statistics"] = findings["statistics"].model_copy(
        update={"overfitting": overfitting, "system": system}
    )
    findings["metric_quality"] |= unjudged
    scorecard = Scorecard(
        subject=subject_ref,
        baseline=baseline_ref,
        pack_id=pack.manifest.pack_id,
        pack_hash=pack.manifest.manifest_hash,
        regimes=regime_table(own, other, windows=kept, pack=pack),
        windows=len(kept),
        purged_windows=tuple(window.window_id for window in purged),
        sessions=int(keep.sum()),
        trials=tried.count,
        pack_end=pack.manifest.end,
        dataset_ref=artifact.data_snapshot_ref,
        code_commit=code_commit,
        seed=seed,
        created_at=clock(),
        dropped_symbols=pack.manifest.dropped_symbols,
        trading=None if how.limits == USUAL_LIMITS else how.limits,
        **costs,
        **findings,
    )
    return Evaluation(
        scorecard=scorecard,
        sessions=pack.history.sessions[keep],
        subject_returns=own.returns[keep],
        baseline_returns=other.returns[keep] if other else None,
        stress=tuple(window for window in kept if window.stress),
    )


def judge_tracks(
    own: Track, other: Track | None, *, keep: Bool1D, tried: Tried, seed: int, judgement: Judgement
) -> dict[str, Any]:
    """Return the scorecard's fields that are measured over all judged sessions together."""
    measured, measured_other = own.measure(keep), other.measure(keep) if other else None
    differences, calibration, undecided = _compare(own, other, keep=keep, seed=seed, judgement=judgement)
    sure = sharpe_confidence(own.returns[keep], measured, tried=tried)
    quality = measured.quality | undecided | sure.quality
    if measured_other:
        quality |= {f"baseline.{name}": reason for name, reason in measured_other.quality.items()}
    return {
        "metrics": measured.nullable(),
        "baseline_metrics": measured_other.nullable() if measured_other else {},
        "differences": differences,
        "probabilistic_sharpe": _defined(sure.probabilistic_2012),
        "deflated_sharpe": _defined(sure.deflated_2012),
        "errors": own.errors,
        "error_rate": own.error_rate,
        "baseline_error_rate": other.error_rate if other else None,
        "metric_quality": quality,
        "statistics": _statistics(sure, differences, calibration=calibration, overlap=judgement.overlap),
    }


def _compare(
    own: Track, other: Track | None, *, keep: Bool1D, seed: int, judgement: Judgement
) -> tuple[dict[str, PairedDifference], BlockCalibration | None, dict[str, str]]:
    """Return the paired differences, how their block length was chosen, and why one is missing."""
    if other is None:
        return {}, None, {}
    subject, baseline = own.returns[keep], other.returns[keep]
    differences = {"max_drawdown": compare_drawdown(subject, baseline, seed=seed)}
    calibration = None
    try:
        if judgement.calibrations:
            calibration = calibrated_block_length(
                subject, baseline, seed=seed, sequences=judgement.calibrations
            )
        differences["sharpe"] = compare_sharpe(
            subject,
            baseline,
            seed=seed,
            draws=judgement.draws,
            block_length=calibration.block_length if calibration else None,
        )
        differences["sharpe_hac"] = compare_sharpe_hac(subject, baseline)
        differences["sharpe_jkm"] = compare_sharpe_jkm(subject, baseline)
    except EvalFailed as error:
        # A model that never trades is judged, not crashed on: the gate finds no difference and denies.
        return differences, calibration, {"difference.sharpe": f"undefined: {error.found}"}
    return differences, calibration, {}


def _statistics(
    sure: SharpeConfidence,
    differences: Mapping[str, PairedDifference],
    *,
    calibration: BlockCalibration | None,
    overlap: Overlap,
) -> ScorecardStatistics:
    tested = {name: differences[name].p_value for name in ("sharpe", "max_drawdown") if name in differences}
    tested["deflated_sharpe"] = 1.0 - sure.deflated_2012
    return ScorecardStatistics(
        convention=CONVENTION,
        skewness=sure.skewness,
        kurtosis=sure.kurtosis,
        autocorrelation=sure.autocorrelation,
        probabilistic_sharpe_2012=sure.probabilistic_2012,
        probabilistic_sharpe_2025=sure.probabilistic_2025,
        deflated_sharpe_2012=sure.deflated_2012,
        deflated_sharpe_2025=sure.deflated_2025,
        track_record_confidence=TRACK_RECORD_CONFIDENCE,
        min_track_record_sessions_2012=_finite(sure.track_record_2012),
        min_track_record_sessions_2025=_finite(sure.track_record_2025),
        p_values=tested,
        adjusted_p_values=holm(tested),
        block_coverage={str(length): share for length, share in calibration.coverage.items()}
        if calibration
        else {},
        overlap=overlap,
        system={},
        overfitting=None,
    )


def _latencies(
    subject: SignalModel, baseline: SignalModel | None, *, cube: FeatureCube, timer: Timer | None
) -> dict[str, float]:
    if timer is None:
        return {}
    found: dict[str, float] = {}
    for prefix, model in (("", subject), ("baseline_", baseline)):
        if model is not None:
            median, late = session_latency_ms(model, cube, timer=timer)
            found |= {f"{prefix}latency_ms_p50": median, f"{prefix}latency_ms_p95": late}
    return found


def _system(own: Track, other: Track | None, *, latencies: Mapping[str, float]) -> dict[str, float]:
    """Return the figures of the run: errors and quarantine as shares of the rows asked, latencies where measured."""
    figures = {"error_rate": own.error_rate, "quarantine_rate": own.quarantine_rate}
    if other is not None:
        figures |= {
            "baseline_error_rate": other.error_rate,
            "baseline_quarantine_rate": other.quarantine_rate,
        }
    return figures | dict(latencies)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value


def _finite(value: float) -> float:
    """Return NaN in place of a track record that no length would complete."""
    return value if np.isfinite(value) else np.nan
