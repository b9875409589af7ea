"""Judge a model on a benchmark pack, beside a baseline, and write the scorecard that gates read.

Both models see the same features, trade by the same rule at the same costs, and are measured on the same
sessions: those of at least one window that the subject's training has not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.bench import Pack, run_backtest, targets_from_predictions
from ordinis_learn.errors import ConfigInvalid, EvalFailed
from ordinis_learn.evaluation.deflated import deflated_sharpe, probabilistic_sharpe, return_shape
from ordinis_learn.evaluation.drawdown import compare_drawdown
from ordinis_learn.evaluation.metrics import SESSIONS_PER_YEAR, MetricSet, compute_metrics, max_drawdown
from ordinis_learn.evaluation.predictions import predict_grid
from ordinis_learn.evaluation.purging import split_windows
from ordinis_learn.evaluation.sharpe_tests import compare_sharpe, compare_sharpe_hac, compare_sharpe_jkm
from ordinis_learn.market import FeatureCube, compute_features
from ordinis_learn.models import SignalModel
from ordinis_learn.ports import Clock
from ordinis_learn.records import (
    BenchWindow,
    ModelArtifact,
    ModelRef,
    PairedDifference,
    Regime,
    RegimeRow,
    Scorecard,
)

__all__ = ["DECISION_CADENCE_SESSIONS", "Evaluation", "evaluate_model"]

Float1D = npt.NDArray[np.float64]
Bool1D = npt.NDArray[np.bool_]

DECISION_CADENCE_SESSIONS: Final = 5
"""Models decide once a trading week; in between positions stand."""


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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Track:
    """One model's daily record over the whole pack."""

    returns: Float1D
    turnover: Float1D
    exposure: Float1D
    errors: int
    error_rate: float

    def measure(self, keep: Bool1D) -> MetricSet:
        return compute_metrics(self.returns[keep], turnover=self.turnover[keep], exposure=self.exposure[keep])


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """All models the subject was picked from: those of its own search, and earlier versions of its name."""

    count: int
    variance: float | None
    earlier_sharpes: tuple[float, ...]

    def variance_with(self, sharpe: float) -> float | None:
        """Return the larger of the search's variance and that across versions; None where neither is known."""
        across = (*self.earlier_sharpes, sharpe)
        known = [] if self.variance is None else [self.variance]
        if len(across) > 1:
            known.append(float(np.var(across, ddof=1)))
        return max(known, default=None)


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
    draws: int = 2000,
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
    earlier_trials, earlier_sharpes : int, sequence of float
        Models fitted for earlier versions of the name, and those versions' per-session Sharpe ratios on this pack. The
        Sharpe ratio is deflated by all trials together, with the larger of the two variances.
    seed : int
        Of the bootstraps. The same arguments give the same scorecard but for ``created_at``.

    Raises
    ------
    ConfigInvalid
        Only one of ``baseline`` and ``baseline_ref`` is given, or a cost is negative.
    EvalFailed
        No window is left after purging, or a model cannot be asked at all.
    """
    if (baseline is None) != (baseline_ref is None):
        raise ConfigInvalid(
            f"evaluate {artifact.name} v{artifact.version}",
            found="a baseline without its reference, or a reference without its baseline",
            next_step="pass both baseline and baseline_ref, or neither",
        )
    kept, purged = split_windows(pack, artifact=artifact, horizon_sessions=subject.horizon_sessions)
    cube = compute_features(pack.history)
    tracks = [
        _run(model, cube=cube, pack=pack, fee_bps=fee_bps, slippage_bps=slippage_bps)
        for model in (subject, baseline)
        if model is not None
    ]
    own, other = tracks[0], tracks[1] if len(tracks) > 1 else None
    keep = _sessions_in(kept, pack=pack)
    tried = _Tried(
        count=artifact.trials + earlier_trials,
        variance=artifact.trial_sharpe_variance,
        earlier_sharpes=tuple(earlier_sharpes),
    )
    scorecard = Scorecard(
        subject=subject_ref,
        baseline=baseline_ref,
        pack_id=pack.manifest.pack_id,
        pack_hash=pack.manifest.manifest_hash,
        regimes=_by_regime(own, other, windows=kept, pack=pack),
        windows=len(kept),
        purged_windows=tuple(window.window_id for window in purged),
        sessions=int(keep.sum()),
        trials=tried.count,
        pack_end=pack.manifest.end,
        fee_bps=fee_bps,
        slippage_bps=slippage_bps,
        dataset_ref=artifact.data_snapshot_ref,
        code_commit=code_commit,
        seed=seed,
        created_at=clock(),
        **_findings(own, other, keep=keep, tried=tried, seed=seed, draws=draws),
    )
    return Evaluation(
        scorecard=scorecard,
        sessions=pack.history.sessions[keep],
        subject_returns=own.returns[keep],
        baseline_returns=other.returns[keep] if other else None,
        stress=tuple(window for window in kept if window.stress),
    )


def _run(model: SignalModel, *, cube: FeatureCube, pack: Pack, fee_bps: float, slippage_bps: float) -> _Track:
    grid = predict_grid(model, cube)
    target = targets_from_predictions(grid.direction, cadence_sessions=DECISION_CADENCE_SESSIONS)
    result = run_backtest(pack.history.close, target, fee_bps=fee_bps, slippage_bps=slippage_bps)
    return _Track(
        returns=result.returns,
        turnover=result.turnover,
        exposure=result.exposure,
        errors=grid.errors,
        error_rate=grid.error_rate,
    )


def _sessions_in(windows: tuple[BenchWindow, ...], *, pack: Pack) -> Bool1D:
    sessions = pack.history.sessions
    keep = np.zeros(len(sessions), dtype=np.bool_)
    for window in windows:
        keep |= (sessions >= np.datetime64(window.start)) & (sessions <= np.datetime64(window.end))
    return keep


def _findings(
    own: _Track, other: _Track | None, *, keep: Bool1D, tried: _Tried, seed: int, draws: int
) -> dict[str, Any]:
    """Return the scorecard's fields that are measured over all judged sessions together."""
    measured, measured_other = own.measure(keep), other.measure(keep) if other else None
    differences, undecided = _compare(own, other, keep=keep, seed=seed, draws=draws)
    probabilistic, deflated, unsure = _sharpe_confidence(own.returns[keep], measured, tried=tried)
    quality = measured.quality | undecided | unsure
    if measured_other:
        quality |= {f"baseline.{name}": reason for name, reason in measured_other.quality.items()}
    return {
        "metrics": measured.nullable(),
        "baseline_metrics": measured_other.nullable() if measured_other else {},
        "differences": differences,
        "probabilistic_sharpe": probabilistic,
        "deflated_sharpe": deflated,
        "errors": own.errors,
        "error_rate": own.error_rate,
        "baseline_error_rate": other.error_rate if other else None,
        "metric_quality": quality,
    }


def _compare(
    own: _Track, other: _Track | None, *, keep: Bool1D, seed: int, draws: int
) -> tuple[dict[str, PairedDifference], dict[str, str]]:
    """Return the paired differences, and why one is missing."""
    if other is None:
        return {}, {}
    subject, baseline = own.returns[keep], other.returns[keep]
    differences = {"max_drawdown": compare_drawdown(subject, baseline, seed=seed)}
    try:
        differences["sharpe"] = compare_sharpe(subject, baseline, seed=seed, draws=draws)
        differences["sharpe_hac"] = compare_sharpe_hac(subject, baseline)
        differences["sharpe_jkm"] = compare_sharpe_jkm(subject, baseline)
    except EvalFailed as error:
        # A model that never trades is judged, not crashed on: the gate finds no difference and denies.
        return differences, {"difference.sharpe": f"undefined: {error.found}"}
    return differences, {}


def _sharpe_confidence(
    returns: Float1D, measured: MetricSet, *, tried: _Tried
) -> tuple[float | None, float | None, dict[str, str]]:
    """Return the probabilistic and the deflated Sharpe ratio, and why one is undefined."""
    sharpe = measured.values["sharpe"] / np.sqrt(SESSIONS_PER_YEAR)
    if np.isnan(sharpe):
        reason = measured.quality["sharpe"]
        return None, None, {"probabilistic_sharpe": reason, "deflated_sharpe": reason}
    skewness, kurtosis = return_shape(returns)
    probabilistic = probabilistic_sharpe(sharpe, periods=len(returns), skewness=skewness, kurtosis=kurtosis)
    variance = tried.variance_with(sharpe)
    if variance is None and tried.count > 1:
        reason = f"undefined: {tried.count} trials without the variance of their Sharpe ratios"
        return probabilistic, None, {"deflated_sharpe": reason}
    deflated = deflated_sharpe(
        sharpe,
        periods=len(returns),
        trials=tried.count,
        trial_variance=variance or 0.0,
        skewness=skewness,
        kurtosis=kurtosis,
    )
    return probabilistic, deflated, {}


def _by_regime(
    own: _Track, other: _Track | None, *, windows: tuple[BenchWindow, ...], pack: Pack
) -> tuple[RegimeRow, ...]:
    rows = []
    for regime in Regime:
        tagged = tuple(window for window in windows if regime in window.regimes)
        if not tagged:
            continue
        keep = _sessions_in(tagged, pack=pack)
        rows.append(
            RegimeRow(
                regime=regime,
                windows=len(tagged),
                sessions=int(keep.sum()),
                subject=_regime_metrics(own, keep=keep, windows=tagged, pack=pack),
                baseline=_regime_metrics(other, keep=keep, windows=tagged, pack=pack) if other else {},
            )
        )
    return tuple(rows)


def _regime_metrics(
    track: _Track, *, keep: Bool1D, windows: tuple[BenchWindow, ...], pack: Pack
) -> dict[str, float]:
    """Return the metrics over ``keep``, with the drawdown of the worst single window.

    Crises years apart are no single fall: chained into one curve they show a drawdown nobody lived through.
    """
    values = track.measure(keep).values
    worst = max(max_drawdown(track.returns[_sessions_in((window,), pack=pack)]) for window in windows)
    return values | {"max_drawdown": worst, "calmar": values["cagr"] / worst if worst > 0 else np.nan}
