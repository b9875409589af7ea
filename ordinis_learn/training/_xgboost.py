"""Fit boosted trees on a training matrix. Loaded by name, for xgboost is heavy.

One seed gives the same bytes whatever the number of threads (tests/training/test_fit.py): one process fits
one model, work is spread over trials and folds instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xgboost as xgb  # noqa: TID253  the leaf that needs it

from ordinis_learn.datasets.splits import purged_walk_forward
from ordinis_learn.errors import TrainFailed
from ordinis_learn.models.edge import worthwhile_direction
from ordinis_learn.training.config import BoosterParameters, TrainConfig
from ordinis_learn.training.fold_metrics import fold_metrics
from ordinis_learn.training.folds import FoldFit
from ordinis_learn.training.matrix import TrainingMatrix
from ordinis_learn.training.plots import Explanation

__all__ = ["FinalFit", "WalkForward", "explain", "fit_all_rows", "forecast_sample"]

_SAMPLE_ROWS: Final = 20_000
_EXPLAINED_ROWS: Final = 2_000


@dataclass(frozen=True, kw_only=True, eq=False)
class FinalFit:
    """The booster over all rows, its error after each round, and the mean gain of each feature's splits."""

    booster: xgb.Booster
    train_rmse: tuple[float, ...]
    gain: dict[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class _FoldData:
    train: xgb.QuantileDMatrix
    test: xgb.QuantileDMatrix
    test_rows: npt.NDArray[Any]


class WalkForward:
    """Purged walk-forward folds over one matrix, binned once and fitted as often as asked.

    Parameters
    ----------
    matrix : TrainingMatrix
    config : TrainConfig
        Gives folds, embargo, rounds, seed and threads; the trees' parameters come with each fit.

    Raises
    ------
    DataMissing
        There are too few sessions for so many folds.
    """

    def __init__(self, matrix: TrainingMatrix, *, config: TrainConfig) -> None:
        self.matrix = matrix
        self._config = config
        splits = purged_walk_forward(
            matrix.label_start,
            matrix.label_end,
            matrix.session,
            folds=config.folds,
            embargo_sessions=config.embargo_sessions,
        )
        with _translated(config):
            self._data = tuple(
                _fold_data(matrix, train=split.train, test=split.test, threads=config.threads)
                for split in splits
            )

    def __len__(self) -> int:
        return len(self._data)

    def fit(self, number: int, *, parameters: BoosterParameters) -> FoldFit:
        """Fit one fold; raise TrainFailed with xgboost's message."""
        data, config = self._data[number], self._config
        curves: dict[str, dict[str, list[float]]] = {}
        with _translated(config):
            fitted = xgb.train(
                _parameters(parameters, config=config, names=self.matrix.feature_names),
                data.train,
                num_boost_round=config.rounds,
                evals=[(data.train, "train"), (data.test, "valid")],
                evals_result=curves,
                early_stopping_rounds=config.early_stopping_rounds,
                verbose_eval=False,
            )
            rounds = fitted.best_iteration + 1
            forecast = fitted.predict(data.test, iteration_range=(0, rounds)).astype(np.float64)
        rows = data.test_rows
        position = worthwhile_direction(forecast, min_edge_bps=config.min_edge_bps).astype(np.float64)
        return FoldFit(
            train_error=tuple(curves["train"]["rmse"]),
            valid_error=tuple(curves["valid"]["rmse"]),
            rounds=rounds,
            test=rows,
            forecast=forecast,
            position=position,
            metrics=fold_metrics(
                forecast=forecast,
                position=position,
                outcome=self.matrix.target[rows],
                session_return=self.matrix.session_return[rows],
                session=self.matrix.session[rows],
            ),
        )

    def fit_every_fold(self, *, parameters: BoosterParameters) -> tuple[FoldFit, ...]:
        """Fit the folds in order of time."""
        return tuple(self.fit(number, parameters=parameters) for number in range(len(self)))


def fit_all_rows(
    matrix: TrainingMatrix, *, config: TrainConfig, booster: BoosterParameters, rounds: int
) -> FinalFit:
    """Fit every row with a fixed number of rounds; raise TrainFailed with xgboost's message."""
    curves: dict[str, dict[str, list[float]]] = {}
    with _translated(config):
        data = _quantile_matrix(matrix, rows=slice(None), threads=config.threads)
        fitted = xgb.train(
            _parameters(booster, config=config, names=matrix.feature_names),
            data,
            num_boost_round=rounds,
            evals=[(data, "train")],
            evals_result=curves,
            verbose_eval=False,
        )
        gain = fitted.get_score(importance_type="gain")
        return FinalFit(
            booster=fitted,
            train_rmse=tuple(curves["train"]["rmse"]),
            gain={name: float(gain.get(name, 0.0)) for name in matrix.feature_names},
        )


def forecast_sample(final: FinalFit, *, matrix: TrainingMatrix) -> npt.NDArray[np.float64]:
    """Forecast at most 20,000 of the training rows, evenly spread over time; in-sample, so only for scale."""
    step = -(-len(matrix) // _SAMPLE_ROWS)
    return np.asarray(final.booster.inplace_predict(matrix.features[::step]), dtype=np.float64)


def explain(final: FinalFit, *, matrix: TrainingMatrix) -> Explanation:
    """Return the SHAP values of at most 2,000 of the training rows, evenly spread over time."""
    step = -(-len(matrix) // _EXPLAINED_ROWS)
    rows = matrix.features[::step]
    data = xgb.DMatrix(rows, feature_names=list(matrix.feature_names), nthread=1)
    contributions = final.booster.predict(data, pred_contribs=True)
    return Explanation(values=rows.astype(np.float64), contributions=contributions[:, :-1].astype(np.float64))


def _fold_data(
    matrix: TrainingMatrix, *, train: npt.NDArray[Any], test: npt.NDArray[Any], threads: int
) -> _FoldData:
    binned = _quantile_matrix(matrix, rows=train, threads=threads)
    return _FoldData(
        train=binned,
        test=_quantile_matrix(matrix, rows=test, threads=threads, like=binned),
        test_rows=test,
    )


def _quantile_matrix(
    matrix: TrainingMatrix,
    *,
    rows: npt.NDArray[Any] | slice,
    threads: int,
    like: xgb.QuantileDMatrix | None = None,
) -> xgb.QuantileDMatrix:
    return xgb.QuantileDMatrix(
        matrix.features[rows],
        label=matrix.target[rows],
        weight=matrix.weight[rows],
        feature_names=list(matrix.feature_names),
        nthread=threads,
        ref=like,
    )


def _parameters(booster: BoosterParameters, *, config: TrainConfig, names: tuple[str, ...]) -> dict[str, Any]:
    signs = tuple(config.monotone.get(name, 0) for name in names)
    constrained = {"monotone_constraints": str(signs)} if any(signs) else {}
    return (
        booster.to_json()
        | constrained
        | {
            "objective": "reg:squarederror",
            "eval_metric": "rmse",
            "tree_method": "hist",
            "seed": config.seed,
            "nthread": config.threads,
        }
    )


@contextmanager
def _translated(config: TrainConfig) -> Iterator[None]:
    try:
        yield
    except xgb.core.XGBoostError as error:
        raise TrainFailed(
            f"fit {config.name} with seed {config.seed}",
            found=f"xgboost: {str(error).splitlines()[0]}",
            next_step="correct the training configuration or the dataset and train again; what was active stays active",
        ) from error
