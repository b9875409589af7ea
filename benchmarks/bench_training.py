"""A recorded training run, against bare xgboost.train on the same matrix.

Both sides bin the same float32 rows and fit with the same parameters, rounds and threads; the final boosters are checked to
have the same trees. Ours also selects the rows from the dataset, keeps provenance, logs
parameters, curves, data set and model, and hashes the bundle. Once into MLflow on SQLite, once into
the in-memory tracker, which shows how much of the difference is MLflow's.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost as xgb  # noqa: TID253  what is measured

from benchmarks._harness import compare
from ordinis_learn.datasets import profile_feature
from ordinis_learn.datasets.splits import purged_walk_forward
from ordinis_learn.market import FEATURE_NAMES
from ordinis_learn.records import (
    DatasetFile,
    DatasetManifest,
    DatasetValidation,
    DatasetWindow,
    EventRange,
    JoinQuality,
    file_sha256,
)
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training import TrainConfig, collect_provenance, train_model
from ordinis_learn.training.matrix import training_matrix

ZEROS = "0" * 64
SYMBOLS = 20


def run(*, quick):
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
            case = _Case(folder, sessions=sessions)
            for tracker_name, tracker in trackers.items():
                for folds in (0, 4):
                    yield case.row(tracker_name, tracker, folds=folds, runs=runs)
    finally:
        shutil.rmtree(folder)


class _Case:
    def __init__(self, folder, *, sessions):
        self.folder = folder / str(sessions)
        self.table = _rows(sessions)
        self.manifest = _published(self.table, self.folder)
        self.provenance = collect_provenance()
        self.number = count()

    def row(self, tracker_name, tracker, *, folds, runs):
        config = TrainConfig(
            name="bench", dataset=self.manifest.ref, folds=folds, rounds=200, early_stopping_rounds=200
        )
        matrix = training_matrix(config, manifest=self.manifest, table=self.table, min_samples=1)
        self._check(config, matrix)
        fits = "one fit" if not folds else f"{folds} folds and the final fit"
        return compare(
            f"train, {len(matrix):,} rows, {fits}, {tracker_name}",
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


def _rows(sessions):
    rng = np.random.default_rng(7)
    rows = sessions * SYMBOLS
    days = np.datetime64("1970-01-01") + np.arange(sessions + 30)
    session = np.repeat(np.arange(sessions), SYMBOLS)
    features = rng.standard_normal((rows, len(FEATURE_NAMES)))
    columns = {"session": pa.array(days[session])}
    columns |= {f"f_{name}": features[:, n] for n, name in enumerate(FEATURE_NAMES)}
    for horizon in (1, 5):
        columns |= {
            f"fwd_ret_{horizon}d": 0.002 * features[:, 0] + 0.02 * rng.standard_normal(rows),
            f"label_start_{horizon}d": pa.array(days[session + 1]),
            f"label_end_{horizon}d": pa.array(days[session + 1 + horizon]),
            f"uniqueness_{horizon}d": np.full(rows, 1.0 / horizon),
        }
    return pa.table(columns)


def _published(table, root):
    folder = root / "bench" / "1"
    folder.mkdir(parents=True)
    path = folder / "part-0.parquet"
    pq.write_table(table, path)
    return DatasetManifest(
        dataset_id="bench",
        version="1",
        kind="signal",
        window=DatasetWindow(start=date(1970, 1, 1), end=date(2022, 1, 1), horizons=(1, 5)),
        files=(
            DatasetFile(path=path.name, sha256=file_sha256(path), rows=len(table), bytes=path.stat().st_size),
        ),
        content_sha256=ZEROS,
        columns={name: str(table.schema.field(name).type) for name in table.column_names},
        feature_names=FEATURE_NAMES,
        rows=len(table),
        label_stats={},
        profile={name: profile_feature(table[f"f_{name}"].to_numpy()) for name in FEATURE_NAMES},
        event_range=EventRange(types=(), count=0, first=None, last=None, log_position=0),
        join_quality=JoinQuality(),
        query_hash=ZEROS,
        code_commit="",
        config_hash=ZEROS,
        suite_hash=ZEROS,
        validation=DatasetValidation(success=True, evaluated=1, expected=1),
        created_at=datetime(2022, 1, 1, tzinfo=UTC),
    )
