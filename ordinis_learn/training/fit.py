"""From a configuration and its rows to a fitted model, recorded on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.market.features import FEATURE_NAMES
from ordinis_learn.models import RuleModel, SignalModel
from ordinis_learn.ports import Run
from ordinis_learn.records import Record
from ordinis_learn.training.config import NetworkParameters, SequenceParameters, TrainConfig
from ordinis_learn.training.folds import (
    FoldFit,
    confidence_scale,
    mean_metrics,
    mean_rounds,
    walk_forward_sharpe,
)
from ordinis_learn.training.matrix import TrainingMatrix
from ordinis_learn.training.plots import Explanation, TrainingPictures, write_training_plots
from ordinis_learn.training.spread import SpreadTrials, SpreadWalk
from ordinis_learn.training.surroundings import Surroundings
from ordinis_learn.training.trial import LocalTrials, mean_error
from ordinis_learn.training.walk import Walk
from ordinis_learn.training.walks import open_walk

__all__ = ["Fitted", "declare_rule", "fit_network", "fit_trees"]

P = TypeVar("P", bound=Record)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """A model ready to be saved, its metrics, and the trials it cost."""

    model: SignalModel
    metrics: dict[str, float] = field(default_factory=dict)
    trials: int = 1
    trial_sharpe_variance: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chosen(Generic[P]):
    parameters: P
    folds: tuple[FoldFit, ...]
    trials: int = 1
    trial_sharpe_variance: float | None = None


def declare_rule(config: TrainConfig) -> Fitted:
    """Wrap the declared rule; nothing is fitted, so there is nothing to measure here."""
    model = RuleModel(
        feature_names=FEATURE_NAMES, horizon_sessions=config.horizon_sessions, parameters=config.rule
    )
    return Fitted(model=model)


def fit_trees(config: TrainConfig, *, matrix: TrainingMatrix, around: Surroundings) -> Fitted:
    """Search where asked, walk forward, then fit every row with the mean of the folds' best rounds.

    Raises
    ------
    TrainFailed
        xgboost refused, or no trial finished.
    DataMissing
        Too few sessions for so many folds.
    """
    from ordinis_learn.models._xgboost import XGBoostParameters, XGBoostSignalModel  # noqa: PLC0415  heavy
    from ordinis_learn.training._xgboost import (  # noqa: PLC0415  heavy
        explain,
        fit_all_rows,
        forecast_sample,
    )

    run = around.run
    chosen = _choose(config, given=config.booster, matrix=matrix, around=around)
    rounds = mean_rounds(chosen.folds) if chosen.folds else config.rounds
    final = fit_all_rows(matrix, config=config, booster=chosen.parameters, rounds=rounds)
    seen = [fold.forecast for fold in chosen.folds] or [forecast_sample(final, matrix=matrix)]
    metrics = _summary(chosen.folds, matrix=matrix) | {"rounds": float(rounds)}
    _log(around, chosen=chosen, train_error=final.train_rmse, matrix=matrix, metrics=metrics)
    explanation = explain(final, matrix=matrix)
    shap = dict(zip(matrix.feature_names, explanation.mean_size.tolist(), strict=True))
    _log_importance(run, {"gain": final.gain, "mean_abs_shap": shap})
    _log_plots(
        run, config=config, unit="boosting round", chosen=chosen, matrix=matrix, explanation=explanation
    )
    model = XGBoostSignalModel(
        final.booster,
        feature_names=matrix.feature_names,
        horizon_sessions=config.horizon_sessions,
        parameters=XGBoostParameters(
            min_edge_bps=config.min_edge_bps, scale=confidence_scale(np.concatenate(seen))
        ),
    )
    return _fitted(model, chosen=chosen, metrics=metrics)


def fit_network(config: TrainConfig, *, matrix: TrainingMatrix, around: Surroundings) -> Fitted:
    """As :func:`fit_trees`, with epochs for rounds.

    Raises
    ------
    ConfigInvalid
        torch is not installed, or there is no such device.
    TrainFailed
        The fit diverged, or no trial finished.
    DataMissing
        Too few sessions for so many folds.
    """
    try:
        from ordinis_learn.training._torch import fit_network_on_all_rows  # noqa: PLC0415  heavy
    except ImportError as error:
        raise ConfigInvalid(
            f"train {config.name} with model={config.model}",
            found="the package torch is not installed",
            next_step="pip install 'ordinis-learn[torch]'",
        ) from error

    run = around.run
    given: NetworkParameters | SequenceParameters = getattr(config, config.inner)
    chosen = _choose(config, given=given, matrix=matrix, around=around)
    epochs = mean_rounds(chosen.folds) if chosen.folds else given.epochs
    final = fit_network_on_all_rows(matrix, config=config, parameters=chosen.parameters, epochs=epochs)
    seen = [fold.forecast for fold in chosen.folds] or [final.forecast]
    metrics = _summary(chosen.folds, matrix=matrix) | {"epochs": float(epochs)}
    _log(around, chosen=chosen, train_error=final.train_rmse, matrix=matrix, metrics=metrics)
    _log_importance(run, {"sensitivity": final.sensitivity})
    _log_plots(run, config=config, unit="epoch", chosen=chosen, matrix=matrix)
    model = final.model(
        config=config,
        network=chosen.parameters,
        names=matrix.feature_names,
        scale=confidence_scale(np.concatenate(seen)),
    )
    return _fitted(model, chosen=chosen, metrics=metrics)


def _fitted(model: SignalModel, *, chosen: _Chosen[P], metrics: dict[str, float]) -> Fitted:
    return Fitted(
        model=model,
        metrics=metrics,
        trials=chosen.trials,
        trial_sharpe_variance=chosen.trial_sharpe_variance,
    )


def _choose(config: TrainConfig, *, given: P, matrix: TrainingMatrix, around: Surroundings) -> _Chosen[P]:
    """Return the parameters to use with their walk-forward fits; no folds when none are asked for."""
    if not config.folds:
        return _Chosen(parameters=given, folds=())
    spread = around.spread
    walk: Walk[P] = (
        SpreadWalk(matrix, spread=spread, config=config) if spread else open_walk(matrix, config=config)
    )
    if not config.trials:
        return _Chosen(parameters=given, folds=walk.fit_every_fold(parameters=given))
    from ordinis_learn.training._optuna import search_parameters  # noqa: PLC0415  heavy

    found = search_parameters(
        walk,
        first=given,
        config=config,
        tracker=around.tracker,
        parent=around.run,
        runner=SpreadTrials(spread, config=config) if spread else LocalTrials(walk),
        key=around.study_key,
        place=around.place,
    )
    around.run.set_tags(
        {
            "ordinis.study": found.study,
            "ordinis.trials": str(found.trials),
            "ordinis.trials_pruned": str(found.pruned),
            "ordinis.trials_failed": str(found.failed),
            "ordinis.trials_run_elsewhere": str(found.earlier),
        }
    )
    return _Chosen(
        parameters=found.parameters,
        folds=found.folds,
        trials=found.trials,
        trial_sharpe_variance=found.trial_sharpe_variance,
    )


def _summary(folds: Sequence[FoldFit], *, matrix: TrainingMatrix) -> dict[str, float]:
    if not folds:
        return {}
    means = {f"mean_{name}": value for name, value in mean_metrics(folds).items()}
    sharpe = walk_forward_sharpe(folds, matrix=matrix)
    error = {f"mean_valid_{folds[0].measure}": mean_error(folds)}
    return means | error | {"walk_forward_sharpe_per_session": sharpe}


def _log(
    around: Surroundings,
    *,
    chosen: _Chosen[P],
    train_error: Sequence[float],
    matrix: TrainingMatrix,
    metrics: dict[str, float],
) -> None:
    """Record curves per round, metrics per fold (one after the other, and in a child run each), and the summary."""
    run = around.run
    measure = chosen.folds[0].measure if chosen.folds else "rmse"
    curves: dict[str, Sequence[float]] = {f"train_{measure}": train_error}
    for number, fold in enumerate(chosen.folds):
        curves[f"fold_{number}/train_{measure}"] = fold.train_error
        curves[f"fold_{number}/valid_{measure}"] = fold.valid_error
        run.log_metrics({f"fold/{name}": value for name, value in fold.metrics.items()}, step=number)
        _log_fold(around, number, fold=fold, matrix=matrix)
    run.log_series(curves)
    run.log_metrics(metrics)
    run.log_params({f"fitted.{name}": value for name, value in chosen.parameters.to_json().items()})


def _log_fold(around: Surroundings, number: int, *, fold: FoldFit, matrix: TrainingMatrix) -> None:
    sessions = matrix.session[fold.test]
    span = {"fold": number, "test_from": str(sessions.min()), "test_until": str(sessions.max())}
    with around.tracker.start_run(
        f"fold {number}", parent=around.run, tags={"ordinis.fold": str(number)}
    ) as run:
        run.log_params(span)
        run.log_metrics(
            fold.metrics
            | {
                f"valid_{fold.measure}": fold.best_valid_error,
                "rounds": float(fold.rounds),
                "test_rows": float(len(fold.test)),
            }
        )


def _log_importance(run: Run, measures: dict[str, dict[str, float]]) -> None:
    """Record what the model uses, the feature that is largest by the first measure first."""
    by = next(iter(measures.values()))
    ranked = sorted(by, key=lambda name: (-by[name], name))
    rows = [
        {"feature": name, **{measure: values[name] for measure, values in measures.items()}}
        for name in ranked
    ]
    run.log_json(rows, path="feature_importance.json")


def _log_plots(
    run: Run,
    *,
    config: TrainConfig,
    unit: str,
    chosen: _Chosen[P],
    matrix: TrainingMatrix,
    explanation: Explanation | None = None,
) -> None:
    pictures = TrainingPictures(
        name=config.name, unit=unit, folds=chosen.folds, matrix=matrix, explanation=explanation
    )
    with tempfile.TemporaryDirectory(prefix="ordinis-plots-") as folder:
        for path in write_training_plots(pictures, Path(folder)):
            run.log_file(path, folder="plots")
