"""From a configuration and its rows to a fitted model, recorded on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ordinis_learn.market.features import FEATURE_NAMES
from ordinis_learn.models import RuleModel, SignalModel
from ordinis_learn.ports import Run, Tracker
from ordinis_learn.training.config import BoosterParameters, TrainConfig
from ordinis_learn.training.folds import (
    FoldFit,
    confidence_scale,
    mean_metrics,
    mean_rounds,
    walk_forward_sharpe,
)
from ordinis_learn.training.matrix import TrainingMatrix

if TYPE_CHECKING:
    from ordinis_learn.training._xgboost import FinalFit

__all__ = ["Fitted", "declare_rule", "fit_xgboost"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A model ready to be saved, its metrics, and the trials it cost."""

    model: SignalModel
    metrics: dict[str, float] = field(default_factory=dict)
    trials: int = 1
    trial_sharpe_variance: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chosen:
    booster: BoosterParameters
    folds: tuple[FoldFit, ...]
    trials: int = 1
    trial_sharpe_variance: float | None = None


def declare_rule(config: TrainConfig) -> Fitted:
    """Wrap the declared rule; nothing is fitted, so there is nothing to measure here."""
    model = RuleModel(
        feature_names=FEATURE_NAMES, horizon_sessions=config.horizon_sessions, parameters=config.rule
    )
    return Fitted(model=model)


def fit_xgboost(
    config: TrainConfig, *, matrix: TrainingMatrix, tracker: Tracker, run: Run, journal: Path | None = None
) -> Fitted:
    """Search where asked, walk forward, then fit every row with the mean of the folds' best rounds.

    Raises
    ------
    TrainFailed
        xgboost refused, or no trial finished.
    DataMissing
        Too few sessions for so many folds.
    """
    from ordinis_learn.models._xgboost import XGBoostParameters, XGBoostSignalModel  # noqa: PLC0415  heavy
    from ordinis_learn.training._xgboost import fit_all_rows, forecast_sample  # noqa: PLC0415  heavy

    chosen = _choose(config, matrix=matrix, tracker=tracker, run=run, journal=journal)
    rounds = mean_rounds(chosen.folds) if chosen.folds else config.rounds
    final = fit_all_rows(matrix, config=config, booster=chosen.booster, rounds=rounds)
    seen = [fold.forecast for fold in chosen.folds] or [forecast_sample(final, matrix=matrix)]
    scale = confidence_scale(np.concatenate(seen))
    metrics = _summary(chosen.folds, matrix=matrix) | {"rounds": float(rounds)}
    _log(run, chosen=chosen, final=final, metrics=metrics)
    return Fitted(
        model=XGBoostSignalModel(
            final.booster,
            feature_names=matrix.feature_names,
            horizon_sessions=config.horizon_sessions,
            parameters=XGBoostParameters(min_edge_bps=config.min_edge_bps, scale=scale),
        ),
        metrics=metrics,
        trials=chosen.trials,
        trial_sharpe_variance=chosen.trial_sharpe_variance,
    )


def _choose(
    config: TrainConfig, *, matrix: TrainingMatrix, tracker: Tracker, run: Run, journal: Path | None
) -> _Chosen:
    """Return the parameters to use with their walk-forward fits; no folds when none are asked for."""
    if not config.folds:
        return _Chosen(booster=config.booster, folds=())
    from ordinis_learn.training._xgboost import WalkForward  # noqa: PLC0415  heavy

    walk = WalkForward(matrix, config=config)
    if not config.trials:
        return _Chosen(booster=config.booster, folds=walk.fit_every_fold(booster=config.booster))
    from ordinis_learn.training._optuna import search_booster  # noqa: PLC0415  heavy

    found = search_booster(walk, config=config, tracker=tracker, parent=run, journal=journal)
    run.set_tags(
        {
            "ordinis.trials": str(found.trials),
            "ordinis.trials_pruned": str(found.pruned),
            "ordinis.trials_failed": str(found.failed),
        }
    )
    return _Chosen(
        booster=found.booster,
        folds=found.folds,
        trials=found.trials,
        trial_sharpe_variance=found.trial_sharpe_variance,
    )


def _summary(folds: Sequence[FoldFit], *, matrix: TrainingMatrix) -> dict[str, float]:
    if not folds:
        return {}
    means = {f"mean_{name}": value for name, value in mean_metrics(folds).items()}
    sharpe = walk_forward_sharpe(folds, matrix=matrix)
    error = sum(fold.best_valid_rmse for fold in folds) / len(folds)
    return means | {"mean_valid_rmse": error, "walk_forward_sharpe_per_session": sharpe}


def _log(run: Run, *, chosen: _Chosen, final: FinalFit, metrics: dict[str, float]) -> None:
    """Record curves per round, metrics per fold, the summary, and what the trees used."""
    curves: dict[str, Sequence[float]] = {"train_rmse": final.train_rmse}
    for number, fold in enumerate(chosen.folds):
        curves[f"fold_{number}/train_rmse"] = fold.train_rmse
        curves[f"fold_{number}/valid_rmse"] = fold.valid_rmse
        run.log_metrics({f"fold/{name}": value for name, value in fold.metrics.items()}, step=number)
    run.log_series(curves)
    run.log_metrics(metrics)
    run.log_params({f"fitted.{name}": value for name, value in chosen.booster.to_json().items()})
    ranked = sorted(final.gain.items(), key=lambda item: (-item[1], item[0]))
    run.log_json([{"feature": name, "gain": gain} for name, gain in ranked], path="feature_importance.json")
