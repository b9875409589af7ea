"""A recorded search of 100 trials, against bare Optuna and xgboost that fit the same parameter sets.

The bare side asks Optuna's TPE sampler for a parameter set at each trial, as ours does, and then fits the set that our
trial of that number fitted, on the same folds, pruned by the same rule; its study is in memory. Ours keeps a journal on disk
and records every trial as a nested run in MLflow on SQLite, and both fit the best on all rows at the end.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import optuna  # noqa: TID253  what is measured
import xgboost as xgb  # noqa: TID253  what is measured

from benchmarks._harness import compare
from benchmarks._training_rows import made_rows, published
from ordinis_learn.datasets.splits import purged_walk_forward
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training import TrainConfig, collect_provenance, train_model
from ordinis_learn.training.matrix import training_matrix
from ordinis_learn.training.search import StudyPlace

PARAMETERS = ("max_depth", "eta", "subsample", "colsample_bytree", "min_child_weight", "reg_lambda")


def run(*, quick):
    from ordinis_mlflow.tracker import MlflowTracker

    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    try:
        mlflow = MlflowTracker(
            tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
            experiment="bench",
            artifact_root=folder / "runs",
        )
        for symbols in (20,) if quick else (20, 200):
            study = _Study(
                folder / str(symbols),
                trials=4 if quick else 100,
                sessions=400 if quick else 1_650,
                symbols=symbols,
            )
            yield study.row(mlflow)
    finally:
        shutil.rmtree(folder)


class _Study:
    def __init__(self, folder, *, trials, sessions, symbols):
        self.folder = folder
        self.table = made_rows(sessions, symbols=symbols)
        self.manifest = published(self.table, folder)
        self.provenance = collect_provenance()
        self.number = count()
        self.config = TrainConfig(name="bench", dataset=self.manifest.ref, trials=trials, folds=4)

    def row(self, tracker):
        matrix = training_matrix(self.config, manifest=self.manifest, table=self.table, min_samples=1)
        tried = self._tried()
        return compare(
            f"a study of {self.config.trials} trials, {len(matrix):,} rows, 4 folds, journal and MLflow on SQLite",
            ours=lambda _: lambda: self._search(tracker),
            reference_name="bare Optuna (in memory) and xgboost, the same parameter sets",
            reference=lambda _: lambda: bare_study(self.config, matrix, tried),
            runs=1,
        )

    def _search(self, tracker):
        number = next(self.number)
        scratch = self.folder / f"scratch-{number}"
        scratch.mkdir(parents=True)
        return train_model(
            self.config,
            manifest=self.manifest,
            table=self.table,
            tracker=tracker,
            provenance=self.provenance,
            datasets_root=self.folder,
            scratch=scratch,
            min_samples=1,
            trainer="bench",
            clock=lambda: datetime.now(UTC),
            place=StudyPlace(journal=self.folder / "studies" / f"{number}.log"),
        )

    def _tried(self):
        """Return what each trial tries, and after how many folds it ends: both follow from the seed."""
        memory = InMemoryTracker(self.folder / "memory")
        self._search(memory)
        trials = [run for run in memory.runs if "ordinis.trial" in run.tags]
        return [
            (
                {name: run.params[f"booster.{name}"] for name in PARAMETERS},
                sum(f"fold_{fold}/valid_rmse" in run.metrics for fold in range(self.config.folds)),
            )
            for run in trials
        ]


def bare_study(config, matrix, tried):
    """Search with nothing around it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    splits = purged_walk_forward(
        matrix.label_start,
        matrix.label_end,
        matrix.session,
        folds=config.folds,
        embargo_sessions=config.embargo_sessions,
    )
    folds = []
    for split in splits:
        train = _binned(matrix, split.train)
        folds.append((train, _binned(matrix, split.test, like=train)))
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=config.seed, n_startup_trials=4),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=2),
    )
    found = {}

    def objective(trial):
        trial.suggest_int("max_depth", 1, 6)
        trial.suggest_float("eta", 0.01, 0.3, log=True)
        trial.suggest_float("subsample", 0.5, 1.0)
        trial.suggest_float("colsample_bytree", 0.3, 1.0)
        trial.suggest_float("min_child_weight", 1.0, 500.0, log=True)
        trial.suggest_float("reg_lambda", 0.1, 100.0, log=True)
        parameters, until = tried[trial.number]
        errors = []
        for step, (train, test) in enumerate(folds[:until], start=1):
            fitted = _fitted(
                config, parameters, train, rounds=config.rounds, evals=[(train, "t"), (test, "v")]
            )
            errors.append(fitted.best_score)
            trial.report(sum(errors) / len(errors), step=step)
            trial.should_prune()
        found[sum(errors) / len(errors)] = (parameters, fitted.best_iteration + 1)
        return sum(errors) / len(errors)

    study.optimize(objective, n_trials=config.trials)
    parameters, rounds = found[study.best_value]
    whole = _binned(matrix, slice(None))
    return xgb.train(_told(config, parameters), whole, rounds, evals=[(whole, "train")], verbose_eval=False)


def _fitted(config, parameters, train, *, rounds, evals):
    return xgb.train(
        _told(config, parameters),
        train,
        rounds,
        evals=evals,
        early_stopping_rounds=config.early_stopping_rounds,
        verbose_eval=False,
    )


def _told(config, parameters):
    fixed = {"objective": "reg:squarederror", "eval_metric": "rmse", "tree_method": "hist"}
    return parameters | fixed | {"seed": config.seed, "nthread": config.threads}


def _binned(matrix, rows, like=None):
    return xgb.QuantileDMatrix(
        matrix.features[rows], label=matrix.target[rows], weight=matrix.weight[rows], nthread=1, ref=like
    )
