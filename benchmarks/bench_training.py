"""A recorded training run, against bare xgboost.train on the same matrix.

Both sides bin the same float32 rows and fit with the same parameters, rounds and threads; the final boosters are checked to
have the same trees. Ours also selects the rows from the dataset, keeps provenance, logs
parameters, curves, data set and model, and hashes the bundle. Once into MLflow on SQLite, once into
the in-memory tracker, which shows how much of the difference is MLflow's.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np
import xgboost as xgb  # noqa: TID253  what is measured

from benchmarks._harness import compare
from benchmarks._training_rows import SYMBOLS, made_rows, published
from ordinis_learn.datasets.splits import purged_walk_forward
from ordinis_learn.market import FEATURE_NAMES
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training import TrainConfig, collect_provenance, train_model
from ordinis_learn.training.matrix import training_matrix


def run(*, quick):
    yield from _small(quick=quick)
    yield from _large(quick=quick)
    yield from _study(quick=quick)
    yield from _memory(quick=quick)


def _study(*, quick):
    from benchmarks._training_study import run as study  # its bare side needs what is defined here

    return study(quick=quick)


def _memory(*, quick):
    from benchmarks._training_memory import run as memory  # processes of its own

    return memory(quick=quick)


def _large(*, quick):
    """One training of a million rows of fifty features, two threads on either side."""
    from ordinis_mlflow.tracker import MlflowTracker

    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    try:
        tracker = MlflowTracker(
            tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
            experiment="bench",
            artifact_root=folder / "runs",
        )
        names = tuple(f"x{n}" for n in range(10 if quick else 50))
        case = Case(folder, sessions=100 if quick else 2_000, symbols=500, names=names)
        yield case.row("MLflow on SQLite", tracker, folds=0, runs=1 if quick else 3, threads=2)
    finally:
        shutil.rmtree(folder)


def _small(*, quick):
    from ordinis_mlflow.tracker import MlflowTracker

    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    runs = 3 if quick else 5
    try:
        mlflow = MlflowTracker(
            tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
            experiment="bench",
            artifact_root=folder / "runs",
        )
        trackers = {"MLflow on SQLite": mlflow, "in memory": InMemoryTracker(folder / "memory")}
        for sessions in (400,) if quick else (1_650, 16_500):
            case = Case(folder, sessions=sessions)
            for tracker_name, tracker in trackers.items():
                for folds in (0, 4):
                    yield case.row(tracker_name, tracker, folds=folds, runs=runs)
    finally:
        shutil.rmtree(folder)


class Case:
    def __init__(self, folder, *, sessions, symbols=SYMBOLS, names=FEATURE_NAMES):
        self.folder = folder / f"{sessions}-{len(names)}"
        self.table = made_rows(sessions, symbols=symbols, names=names)
        self.manifest = published(self.table, self.folder, names=names)
        self.provenance = collect_provenance()
        self.number = count()

    def row(self, tracker_name, tracker, *, folds, runs, threads=1):
        config = TrainConfig(
            name="bench",
            dataset=self.manifest.ref,
            folds=folds,
            rounds=200,
            early_stopping_rounds=200,
            threads=threads,
        )
        matrix = training_matrix(config, manifest=self.manifest, table=self.table, min_samples=1)
        self._check(config, matrix)
        fits = "one fit" if not folds else f"{folds} folds and the final fit"
        return compare(
            f"train, {len(matrix):,} rows of {len(matrix.feature_names)}, {fits}, {tracker_name}",
            ours=lambda _: lambda: self._train(config, tracker),
            reference_name="bare xgboost.train on the same matrix",
            reference=lambda _: lambda: bare(config, matrix),
            runs=runs,
        )

    def _train(self, config, tracker):
        scratch = self.folder / f"scratch-{next(self.number)}"
        scratch.mkdir()
        return train_model(
            config,
            manifest=self.manifest,
            table=self.table,
            tracker=tracker,
            provenance=self.provenance,
            datasets_root=self.folder,
            scratch=scratch,
            min_samples=1,
            trainer="bench",
            clock=lambda: datetime.now(UTC),
        )

    def _check(self, config, matrix):
        if config.folds:
            return
        saved = self._train(config, InMemoryTracker(self.folder / f"memory-{next(self.number)}")).bundle
        stored = next(saved.glob("*.ubj")).read_bytes()
        assert xgb.Booster(model_file=bytearray(stored)).get_dump() == bare(config, matrix).get_dump()


def bare(config, matrix):
    """Fit the same folds and the same final model with nothing around it."""
    parameters = config.booster.to_json() | {
        "objective": "reg:squarederror",
        "eval_metric": "rmse",
        "tree_method": "hist",
        "seed": config.seed,
        "nthread": config.threads,
    }

    def binned(rows, like=None):
        return xgb.QuantileDMatrix(
            matrix.features[rows],
            label=matrix.target[rows],
            weight=matrix.weight[rows],
            feature_names=list(matrix.feature_names),
            nthread=config.threads,
            ref=like,
        )

    rounds = []
    if config.folds:
        splits = purged_walk_forward(
            matrix.label_start,
            matrix.label_end,
            matrix.session,
            folds=config.folds,
            embargo_sessions=config.embargo_sessions,
        )
        for split in splits:
            train = binned(split.train)
            test = binned(split.test, like=train)
            fitted = xgb.train(
                parameters,
                train,
                config.rounds,
                evals=[(train, "train"), (test, "valid")],
                early_stopping_rounds=config.early_stopping_rounds,
                verbose_eval=False,
            )
            fitted.predict(test, iteration_range=(0, fitted.best_iteration + 1))
            rounds.append(fitted.best_iteration + 1)
    data = binned(slice(None))
    final = round(float(np.mean(rounds))) if rounds else config.rounds
    return xgb.train(parameters, data, final, evals=[(data, "train")], verbose_eval=False)
