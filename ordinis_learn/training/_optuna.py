"""The search over training parameters with Optuna; every trial is a nested run. Loaded by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import optuna  # noqa: TID253  the leaf that needs it
from optuna.trial import TrialState  # noqa: TID253

from ordinis_learn.errors import StoreUnavailable, TrainFailed
from ordinis_learn.ports import Run, Tracker
from ordinis_learn.records import Record
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.folds import FoldFit, mean_metrics, mean_rounds, walk_forward_sharpe
from ordinis_learn.training.search import SearchResult, sharpe_variance
from ordinis_learn.training.walk import Walk

__all__ = ["search_parameters"]

P = TypeVar("P", bound=Record)
_Space = Callable[[optuna.Trial], Mapping[str, Any]]

_RANDOM_TRIALS: Final = 4
_SHARPE: Final = "sharpe_per_session"


def search_parameters(
    walk: Walk[P],
    *,
    first: P,
    config: TrainConfig,
    tracker: Tracker,
    parent: Run,
    journal: Path | None = None,
) -> SearchResult[P]:
    """Try ``config.trials`` parameter sets, the configured one first, and return the best.

    Sampled by a seeded tree-structured Parzen estimator; a trial whose running mean error is above the median
    of the earlier ones at the same fold is pruned. The objective is the mean validation error over the folds,
    never a backtest: the search must not see what the gate measures.

    Parameters
    ----------
    walk : Walk
    first : BoosterParameters or NetworkParameters
        What is tried first; what the space of its kind does not name stays as it is here.
    config : TrainConfig
    tracker, parent
        Where each trial is recorded as a child run.
    journal : Path, optional
        A file that keeps the study; a study found there (by the config's hash) is continued. Memory otherwise.

    Raises
    ------
    TrainFailed
        No trial finished.
    StoreUnavailable
        The journal cannot be read or written.
    """
    with _quiet(), _journal_errors(journal):
        study = _open_study(config, first=first, journal=journal)
        kept: dict[int, tuple[FoldFit, ...]] = {}
        while len(study.get_trials(deepcopy=False, states=_TRIED)) < config.trials:
            trial = study.ask()
            try:
                kept[trial.number] = _run_trial(
                    study, trial, first=first, config=config, walk=walk, tracker=tracker, parent=parent
                )
            except TrainFailed:
                study.tell(trial, state=TrialState.FAIL)
        return _result(study, first=first, walk=walk, kept=kept, config=config)


_TRIED: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def _open_study(config: TrainConfig, *, first: Record, journal: Path | None) -> optuna.Study:
    storage = None
    if journal is not None:
        backend = optuna.storages.journal.JournalFileBackend(str(journal))
        storage = optuna.storages.JournalStorage(backend)
    study = optuna.create_study(
        storage=storage,
        study_name=config.content_hash(),
        load_if_exists=True,
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=config.seed, n_startup_trials=_RANDOM_TRIALS),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_RANDOM_TRIALS, n_warmup_steps=1),
    )
    study.enqueue_trial(
        {name: value for name, value in first.to_json().items() if name in _SEARCHED[config.model]},
        skip_if_exists=True,
    )
    return study


def _suggest_booster(trial: optuna.Trial) -> Mapping[str, Any]:
    return {
        "max_depth": trial.suggest_int("max_depth", 1, 6),
        "eta": trial.suggest_float("eta", 0.01, 0.3, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 500.0, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 100.0, log=True),
    }


def _suggest_network(trial: optuna.Trial) -> Mapping[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-4, 1.0, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
    }


_SPACES: Final[Mapping[str, _Space]] = {"xgboost": _suggest_booster, "torch": _suggest_network}
_SEARCHED: Final = {
    "xgboost": ("max_depth", "eta", "subsample", "colsample_bytree", "min_child_weight", "reg_lambda"),
    "torch": ("learning_rate", "weight_decay", "dropout"),
}


def _with(first: P, changes: Mapping[str, Any]) -> P:
    return type(first).model_validate(first.to_json() | dict(changes))


def _run_trial(
    study: optuna.Study,
    trial: optuna.Trial,
    *,
    first: P,
    config: TrainConfig,
    walk: Walk[P],
    tracker: Tracker,
    parent: Run,
) -> tuple[FoldFit, ...]:
    """Fit the folds of one parameter set until it is done or pruned; tell the study which."""
    parameters = _with(first, _SPACES[config.model](trial))
    folds: list[FoldFit] = []
    with tracker.start_run(f"trial {trial.number}", parent=parent) as run:
        run.log_params({f"{config.inner}.{name}": value for name, value in parameters.to_json().items()})
        state = TrialState.COMPLETE
        for number in range(len(walk)):
            folds.append(walk.fit(number, parameters=parameters))
            run.log_metrics(folds[-1].metrics | {"valid_rmse": folds[-1].best_valid_rmse}, step=number)
            trial.report(_mean_error(folds), step=number)
            if number + 1 < len(walk) and trial.should_prune():
                state = TrialState.PRUNED
                break
        _conclude(run, trial, folds=folds, walk=walk, state=state)
    study.tell(trial, _mean_error(folds) if state is TrialState.COMPLETE else None, state=state)
    return tuple(folds)


def _conclude(
    run: Run, trial: optuna.Trial, *, folds: list[FoldFit], walk: Walk[P], state: TrialState
) -> None:
    sharpe = walk_forward_sharpe(folds, matrix=walk.matrix)
    trial.set_user_attr(_SHARPE, sharpe)
    means = {f"mean_{name}": value for name, value in mean_metrics(folds).items()}
    run.log_metrics(
        means
        | {
            "mean_valid_rmse": _mean_error(folds),
            f"walk_forward_{_SHARPE}": sharpe,
            "mean_rounds": mean_rounds(folds),
        }
    )
    run.set_tags({"ordinis.trial": str(trial.number), "ordinis.trial_state": state.name.lower()})


def _mean_error(folds: list[FoldFit]) -> float:
    return sum(fold.best_valid_rmse for fold in folds) / len(folds)


def _result(
    study: optuna.Study,
    *,
    first: P,
    walk: Walk[P],
    kept: dict[int, tuple[FoldFit, ...]],
    config: TrainConfig,
) -> SearchResult[P]:
    trials = study.get_trials(deepcopy=False)
    states = [trial.state for trial in trials]
    if TrialState.COMPLETE not in states:
        raise TrainFailed(
            f"search parameters for {config.name}",
            found=f"none of {len(trials)} trials finished",
            next_step="open the nested runs for their errors, correct the configuration and train again",
        )
    best = study.best_trial
    parameters = _with(first, best.params)
    return SearchResult(
        parameters=parameters,
        folds=kept.get(best.number) or walk.fit_every_fold(parameters=parameters),
        trials=sum(state in _TRIED for state in states),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
        trial_sharpe_variance=sharpe_variance(
            float(trial.user_attrs[_SHARPE]) for trial in trials if _SHARPE in trial.user_attrs
        ),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from narrating every trial; the nested runs do."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


@contextmanager
def _journal_errors(journal: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"keep the study in {journal}" if journal else "run the study",
            found=f"{type(error).__name__}: {error.strerror}",
            next_step="give a journal path in a folder that exists and can be written",
        ) from error
