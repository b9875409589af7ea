"""The search over training parameters with Optuna; every trial is a nested run. Loaded by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import optuna  # noqa: TID253  the leaf that needs it
from optuna.trial import TrialState  # noqa: TID253

from ordinis_learn.errors import StoreUnavailable, TrainFailed
from ordinis_learn.ports import Run, Tracker
from ordinis_learn.training._xgboost import WalkForward
from ordinis_learn.training.config import BoosterParameters, TrainConfig
from ordinis_learn.training.folds import FoldFit, mean_metrics, mean_rounds, walk_forward_sharpe
from ordinis_learn.training.search import SearchResult, sharpe_variance

__all__ = ["search_booster"]

_RANDOM_TRIALS: Final = 4
_SHARPE: Final = "sharpe_per_session"


def search_booster(
    walk: WalkForward, *, config: TrainConfig, tracker: Tracker, parent: Run, journal: Path | None = None
) -> SearchResult:
    """Try ``config.trials`` parameter sets, the configured one first, and return the best.

    Sampled by a seeded tree-structured Parzen estimator; a trial whose running mean error is above the median
    of the earlier ones at the same fold is pruned. The objective is the mean validation error over the folds,
    never a backtest: the search must not see what the gate measures.

    Parameters
    ----------
    walk : WalkForward
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
        study = _open_study(config, journal=journal)
        kept: dict[int, tuple[FoldFit, ...]] = {}
        while len(study.get_trials(deepcopy=False, states=_TRIED)) < config.trials:
            trial = study.ask()
            try:
                kept[trial.number] = _run_trial(study, trial, walk=walk, tracker=tracker, parent=parent)
            except TrainFailed:
                study.tell(trial, state=TrialState.FAIL)
        return _result(study, walk=walk, kept=kept, config=config)


_TRIED: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def _open_study(config: TrainConfig, *, journal: Path | None) -> optuna.Study:
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
    study.enqueue_trial(config.booster.to_json(), skip_if_exists=True)
    return study


def _suggest(trial: optuna.Trial) -> BoosterParameters:
    return BoosterParameters(
        max_depth=trial.suggest_int("max_depth", 1, 6),
        eta=trial.suggest_float("eta", 0.01, 0.3, log=True),
        subsample=trial.suggest_float("subsample", 0.5, 1.0),
        colsample_bytree=trial.suggest_float("colsample_bytree", 0.3, 1.0),
        min_child_weight=trial.suggest_float("min_child_weight", 1.0, 500.0, log=True),
        reg_lambda=trial.suggest_float("reg_lambda", 0.1, 100.0, log=True),
    )


def _run_trial(
    study: optuna.Study, trial: optuna.Trial, *, walk: WalkForward, tracker: Tracker, parent: Run
) -> tuple[FoldFit, ...]:
    """Fit the folds of one parameter set until it is done or pruned; tell the study which."""
    booster = _suggest(trial)
    folds: list[FoldFit] = []
    with tracker.start_run(f"trial {trial.number}", parent=parent) as run:
        run.log_params({f"booster.{name}": value for name, value in booster.to_json().items()})
        state = TrialState.COMPLETE
        for number in range(len(walk)):
            folds.append(walk.fit(number, booster=booster))
            run.log_metrics(folds[-1].metrics | {"valid_rmse": folds[-1].best_valid_rmse}, step=number)
            trial.report(_mean_error(folds), step=number)
            if number + 1 < len(walk) and trial.should_prune():
                state = TrialState.PRUNED
                break
        _conclude(run, trial, folds=folds, walk=walk, state=state)
    study.tell(trial, _mean_error(folds) if state is TrialState.COMPLETE else None, state=state)
    return tuple(folds)


def _conclude(
    run: Run, trial: optuna.Trial, *, folds: list[FoldFit], walk: WalkForward, state: TrialState
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
    study: optuna.Study, *, walk: WalkForward, kept: dict[int, tuple[FoldFit, ...]], config: TrainConfig
) -> SearchResult:
    trials = study.get_trials(deepcopy=False)
    states = [trial.state for trial in trials]
    if TrialState.COMPLETE not in states:
        raise TrainFailed(
            f"search parameters for {config.name}",
            found=f"none of {len(trials)} trials finished",
            next_step="open the nested runs for their errors, correct the configuration and train again",
        )
    best = study.best_trial
    booster = BoosterParameters.model_validate(best.params)
    return SearchResult(
        booster=booster,
        folds=kept.get(best.number) or walk.fit_every_fold(booster=booster),
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
