"""Fit boosted trees on a training matrix. Loaded by name, for xgboost is heavy.

One seed gives the same bytes whatever the number of threads (tests/training/test_train_model.py): one process fits
one model, work is spread over trials and folds instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xgboost as xgb  # noqa: TID253  the leaf that needs it

from ordinis_learn.datasets.splits import Split, purged_walk_forward
from ordinis_learn.errors import ConfigInvalid, TrainFailed
from ordinis_learn.models._xgboost_classes import class_scores
from ordinis_learn.training._xgboost_data import binned
from ordinis_learn.training.config import BoosterParameters, TrainConfig
from ordinis_learn.training.folds import FoldFit, judged_fold
from ordinis_learn.training.heads import Head, head_of
from ordinis_learn.training.matrix import TrainingMatrix
from ordinis_learn.training.plots import Explanation

__all__ = [
    "FinalFit",
    "WalkForward",
    "explain",
    "fit_all_rows",
    "forecast_sample",
    "learner_parameters",
    "translated_fit",
]

_SAMPLE_ROWS: Final = 20_000
_EXPLAINED_ROWS: Final = 500
"""A mean size is known to about its twentieth then, and 2,000 rows of 200 trees took half as long as fitting 33,000."""

Float2D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FinalFit:
    """The booster over all rows, its error after each round, and the mean gain of each feature's splits."""

    booster: xgb.Booster
    train_error: tuple[float, ...]
    gain: dict[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class _FoldData:
    train: xgb.QuantileDMatrix
    test: xgb.QuantileDMatrix
    split: Split


class WalkForward:
    """Purged walk-forward folds over one matrix, binned once and fitted as often as asked.

    Where rows are streamed a fold is binned for each fit instead, so that one of them is in memory at a time.

    Parameters
    ----------
    matrix : TrainingMatrix
    config : TrainConfig
        Gives folds, embargo, rounds, seed and threads; the trees' parameters come with each fit.

    Raises
    ------
    DataMissing
        There are too few sessions for so many folds.
    ConfigInvalid
        A GPU is asked for, and there is none.
    """

    def __init__(self, matrix: TrainingMatrix, *, config: TrainConfig) -> None:
        self.matrix = matrix
        self._config = config
        self._head = head_of(config)
        self._splits = tuple(
            purged_walk_forward(
                matrix.label_start,
                matrix.label_end,
                matrix.session,
                folds=config.folds,
                embargo_sessions=config.embargo_sessions,
            )
        )
        require_device(config)
        self._kept = () if matrix.stream else tuple(self._binned(number) for number in range(len(self)))

    def __len__(self) -> int:
        return len(self._splits)

    def fit(self, number: int, *, parameters: BoosterParameters) -> FoldFit:
        """Fit one fold; raise TrainFailed with xgboost's message."""
        config, head, matrix = self._config, self._head, self.matrix
        train = self._splits[number].train
        reading = head.learn(matrix.target[train], weight=matrix.weight[train])
        data = self._kept[number] if self._kept else self._binned(number)
        curves: dict[str, dict[str, list[float]]] = {}
        with translated_fit(config):
            fitted = xgb.train(
                learner_parameters(parameters, config=config, head=head, names=matrix.feature_names),
                data.train,
                num_boost_round=config.rounds,
                evals=[(data.train, "train"), (data.test, "valid")],
                evals_result=curves,
                early_stopping_rounds=config.early_stopping_rounds,
                verbose_eval=False,
            )
            rounds = fitted.best_iteration + 1
            margin = fitted.predict(data.test, iteration_range=(0, rounds), output_margin=True)
        return judged_fold(
            _raw(margin, head=head),
            reading=reading,
            head=head,
            matrix=matrix,
            test=data.split.test,
            min_edge_bps=config.min_edge_bps,
            train_error=curves["train"][head.measure],
            valid_error=curves["valid"][head.measure],
            rounds=rounds,
        )

    def fit_every_fold(self, *, parameters: BoosterParameters) -> tuple[FoldFit, ...]:
        """Fit the folds in order of time."""
        return tuple(self.fit(number, parameters=parameters) for number in range(len(self)))

    def _binned(self, number: int) -> _FoldData:
        split, threads = self._splits[number], self._config.threads
        with translated_fit(self._config):
            train = binned(self.matrix, rows=split.train, head=self._head, threads=threads)
            test = binned(self.matrix, rows=split.test, head=self._head, threads=threads, like=train)
        return _FoldData(train=train, test=test, split=split)


def fit_all_rows(
    matrix: TrainingMatrix, *, config: TrainConfig, booster: BoosterParameters, rounds: int
) -> FinalFit:
    """Fit every row with a fixed number of rounds; raise TrainFailed with xgboost's message."""
    head = head_of(config)
    require_device(config)
    curves: dict[str, dict[str, list[float]]] = {}
    with translated_fit(config):
        data = binned(matrix, rows=slice(None), head=head, threads=config.threads)
        fitted = xgb.train(
            learner_parameters(booster, config=config, head=head, names=matrix.feature_names),
            data,
            num_boost_round=rounds,
            evals=[(data, "train")],
            evals_result=curves,
            verbose_eval=False,
        )
        fitted.feature_names = list(matrix.feature_names)
        return final_fit(fitted, errors=curves["train"][head.measure], names=matrix.feature_names)


def final_fit(booster: xgb.Booster, *, errors: list[float], names: tuple[str, ...]) -> FinalFit:
    """Return a fitted booster with what is told of it."""
    gain = booster.get_score(importance_type="gain")
    return FinalFit(
        booster=booster,
        train_error=tuple(errors),
        gain={name: float(gain.get(name, 0.0)) for name in names},
    )


def forecast_sample(final: FinalFit, *, matrix: TrainingMatrix) -> npt.NDArray[np.float64]:
    """Forecast at most 20,000 of the training rows, evenly spread over time; in-sample, so only for scale."""
    return np.asarray(final.booster.inplace_predict(matrix.sample(_SAMPLE_ROWS)), dtype=np.float64)


def explain(final: FinalFit, *, matrix: TrainingMatrix) -> Explanation:
    """Return the SHAP values of at most 500 of the training rows, evenly spread over time.

    Of the return, of the log-odds of up where there are two classes, of up against down where there are three.
    """
    rows = matrix.sample(_EXPLAINED_ROWS)
    data = xgb.DMatrix(rows, feature_names=list(matrix.feature_names), nthread=1)
    found = final.booster.predict(data, pred_contribs=True)
    if found.ndim == 3:
        found = found[:, -1] - found[:, 0]
    return Explanation(values=rows.astype(np.float64), contributions=found[:, :-1].astype(np.float64))


def learner_parameters(
    booster: BoosterParameters, *, config: TrainConfig, head: Head, names: tuple[str, ...]
) -> dict[str, Any]:
    """Return what xgboost is told."""
    signs = tuple(config.monotone.get(name, 0) for name in names)
    constrained = {"monotone_constraints": str(signs)} if any(signs) else {}
    # Named only where it is a GPU's: the booster's bytes are those of releases that did not name it.
    placed = {"device": config.device} if config.device != "cpu" else {}
    objectives: dict[str, dict[str, Any]] = {
        "rmse": {"objective": "reg:squarederror"},
        "logloss": {"objective": "binary:logistic"},
        "mlogloss": {"objective": "multi:softprob", "num_class": head.outputs},
    }
    told: dict[str, Any] = (
        booster.to_json()
        | constrained
        | placed
        | objectives[head.measure]
        | {
            "eval_metric": head.measure,
            "tree_method": "hist",
            "seed": config.seed,
            "nthread": config.threads,
        }
    )
    return told


def require_device(config: TrainConfig) -> None:
    """Refuse a GPU that is not there: xgboost itself would warn, and fit on the CPU."""
    if config.device == "cpu":
        return
    rows = xgb.DMatrix(np.zeros((2, 1), dtype=np.float32), label=np.zeros(2))
    with xgb.config_context(verbosity=0):
        tried = xgb.train({"device": config.device, "tree_method": "hist"}, rows, num_boost_round=1)
    used = json.loads(tried.save_config())["learner"]["generic_param"]["device"]
    if not used.startswith(config.device):
        raise ConfigInvalid(
            f"train {config.name} on device {config.device}",
            found="xgboost sees no GPU here, or was built without CUDA (xgboost-cpu)",
            next_step="train with device=cpu, or where there is a GPU with the package xgboost installed",
        )


@contextmanager
def translated_fit(config: TrainConfig) -> Iterator[None]:
    """Turn what xgboost raises into TrainFailed."""
    try:
        yield
    except xgb.core.XGBoostError as error:
        raise TrainFailed(
            f"fit {config.name} with seed {config.seed}",
            found=f"xgboost: {str(error).splitlines()[0]}",
            next_step="correct the training configuration or the dataset and train again; what was active stays active",
        ) from error


def _raw(margin: npt.NDArray[Any], *, head: Head) -> Float2D:
    raw = margin.reshape(-1, 1) if head.outputs == 1 else class_scores(margin)
    return np.asarray(raw, dtype=np.float64)
