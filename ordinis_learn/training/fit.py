"""From a configuration and its rows to a fitted model, recorded on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import numpy as np

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.market.features import FEATURE_NAMES
from ordinis_learn.models import RuleModel, SignalModel
from ordinis_learn.records import Record
from ordinis_learn.training.answers import read_answers
from ordinis_learn.training.config import NetworkParameters, SequenceParameters, TrainConfig
from ordinis_learn.training.fit_record import log_fit, log_importance, log_plots, summary
from ordinis_learn.training.folds import FoldFit, mean_rounds
from ordinis_learn.training.heads import head_of
from ordinis_learn.training.matrix import TrainingMatrix
from ordinis_learn.training.plots import Explanation, TrainingPictures
from ordinis_learn.training.recorded import FittedModel
from ordinis_learn.training.spread import Spread, SpreadTrials, SpreadWalk
from ordinis_learn.training.surroundings import Surroundings
from ordinis_learn.training.trial import LocalTrials
from ordinis_learn.training.walk import Walk
from ordinis_learn.training.walks import open_walk

if TYPE_CHECKING:
    from ordinis_learn.training._xgboost import FinalFit

__all__ = ["declare_rule", "fit_network", "fit_trees"]

_EXAMPLE_ROWS: Final = 5

P = TypeVar("P", bound=Record)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chosen(Generic[P]):
    parameters: P
    folds: tuple[FoldFit, ...]
    trials: int = 1
    trial_sharpe_variance: float | None = None
    search_pbo: float | None = None
    conclude: Callable[[], None] = lambda: None


def declare_rule(config: TrainConfig) -> FittedModel:
    """Wrap the declared rule; nothing is fitted, so there is nothing to measure here."""
    model = RuleModel(
        feature_names=FEATURE_NAMES, horizon_sessions=config.horizon_sessions, parameters=config.rule
    )
    example = {name: [0.0, 0.5] for name in FEATURE_NAMES}
    return FittedModel(model=model, feature_names=FEATURE_NAMES, example=example)


def fit_trees(config: TrainConfig, *, matrix: TrainingMatrix, around: Surroundings) -> FittedModel:
    """Search where asked, walk forward, then fit every row with the mean of the folds' best rounds.

    Raises
    ------
    TrainFailed
        xgboost refused, a class has no row, or no trial finished.
    DataMissing
        Too few sessions for so many folds.
    ConfigInvalid
        A GPU is asked for, and there is none.
    """
    from ordinis_learn.training._xgboost import explain, fit_all_rows, forecast_sample  # noqa: PLC0415  heavy

    chosen = _choose(config, given=config.booster, matrix=matrix, around=around)
    rounds = mean_rounds(chosen.folds) if chosen.folds else config.rounds
    if config.across_workers:
        final = _across_workers(config, matrix=matrix, spread=around.spread)
    else:
        final = fit_all_rows(matrix, config=config, booster=chosen.parameters, rounds=rounds)
    answer = read_answers(
        config, matrix=matrix, folds=chosen.folds, sample=lambda: forecast_sample(final, matrix=matrix)
    )
    explanation = explain(final, matrix=matrix)
    shap = dict(zip(matrix.feature_names, explanation.mean_size.tolist(), strict=True))
    return _recorded(
        config,
        model=answer.trees(final.booster),
        chosen=chosen,
        matrix=matrix,
        around=around,
        unit="boosting round",
        train_error=final.train_error,
        metrics=answer.metrics | {"rounds": float(rounds)},
        importance={"gain": final.gain, "mean_abs_shap": shap},
        explanation=explanation,
    )


def _across_workers(config: TrainConfig, *, matrix: TrainingMatrix, spread: Spread | None) -> FinalFit:
    client = getattr(spread.executor, "client", None) if spread else None
    if spread is None or client is None:
        raise ConfigInvalid(
            f"train {config.name} across workers",
            found="no Dask scheduler",
            next_step="set LEARN_TRAIN_SCHEDULER to tcp://host:8786 or local (extra [dask]), or leave out across_workers",
        )
    from ordinis_learn.training._xgboost_dask import fit_across_workers  # noqa: PLC0415  heavy

    return fit_across_workers(matrix, config=config, client=client, source=spread.source)


def fit_network(config: TrainConfig, *, matrix: TrainingMatrix, around: Surroundings) -> FittedModel:
    """As :func:`fit_trees`, with epochs for rounds.

    Raises
    ------
    ConfigInvalid
        torch is not installed, or there is no such device.
    TrainFailed
        The fit diverged, a class has no row, or no trial finished.
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

    given: NetworkParameters | SequenceParameters = getattr(config, config.inner)
    chosen = _choose(config, given=given, matrix=matrix, around=around)
    epochs = mean_rounds(chosen.folds) if chosen.folds else given.epochs
    final = fit_network_on_all_rows(matrix, config=config, parameters=chosen.parameters, epochs=epochs)
    answer = read_answers(config, matrix=matrix, folds=chosen.folds, sample=lambda: final.forecast)
    return _recorded(
        config,
        model=answer.network(final.weights, frame=final.frame, parameters=chosen.parameters),
        chosen=chosen,
        matrix=matrix,
        around=around,
        unit="epoch",
        train_error=final.train_error,
        metrics=answer.metrics | {"epochs": float(epochs)},
        importance={"sensitivity": final.sensitivity},
    )


def _recorded(
    config: TrainConfig,
    *,
    model: SignalModel,
    chosen: _Chosen[P],
    matrix: TrainingMatrix,
    around: Surroundings,
    unit: str,
    train_error: Sequence[float],
    metrics: dict[str, float],
    importance: dict[str, dict[str, float]],
    explanation: Explanation | None = None,
) -> FittedModel:
    """Show the fit in its run and hand it over."""
    metrics = summary(chosen.folds, matrix=matrix) | metrics
    if chosen.search_pbo is not None:
        metrics |= {"search_pbo": chosen.search_pbo}
    measure = head_of(config).measure
    log_fit(
        around,
        parameters=chosen.parameters,
        folds=chosen.folds,
        train_error=train_error,
        measure=measure,
        matrix=matrix,
        metrics=metrics,
    )
    log_importance(around.run, importance)
    log_plots(
        around.run,
        TrainingPictures(
            name=config.name,
            unit=unit,
            measure=measure,
            folds=chosen.folds,
            matrix=matrix,
            explanation=explanation,
        ),
    )
    rows = matrix.sample(_EXAMPLE_ROWS).astype(np.float64)
    return FittedModel(
        model=model,
        feature_names=matrix.feature_names,
        example={name: rows[:, n].tolist() for n, name in enumerate(matrix.feature_names)},
        metrics=metrics,
        first=str(matrix.session.min()),
        last=str(matrix.label_end.max()),
        trials=chosen.trials,
        trial_sharpe_variance=chosen.trial_sharpe_variance,
        search_pbo=chosen.search_pbo,
        reproducible=not config.across_workers,
        conclude=chosen.conclude,
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
            "ordinis.trials_abandoned": str(found.abandoned),
            "ordinis.search_pbo_trials": str(found.overfitting.trials),
            "ordinis.search_pbo_blocks": str(found.overfitting.blocks),
        }
    )
    return _Chosen(
        parameters=found.parameters,
        folds=found.folds,
        trials=found.trials,
        trial_sharpe_variance=found.trial_sharpe_variance,
        search_pbo=found.overfitting.probability,
        conclude=found.conclude,
    )
