"""What a run shows of a fit: curves, folds, importance, pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ordinis_learn.ports import Run
from ordinis_learn.records import Record
from ordinis_learn.training.folds import FoldFit, mean_metrics, walk_forward_sharpe
from ordinis_learn.training.matrix import TrainingMatrix
from ordinis_learn.training.plots import TrainingPictures, write_training_plots
from ordinis_learn.training.surroundings import Surroundings
from ordinis_learn.training.trial import mean_error

__all__ = ["log_fit", "log_importance", "log_plots", "summary"]


def summary(folds: Sequence[FoldFit], *, matrix: TrainingMatrix) -> dict[str, float]:
    """Return the means over the folds; nothing without any."""
    if not folds:
        return {}
    means = {f"mean_{name}": value for name, value in mean_metrics(folds).items()}
    sharpe = walk_forward_sharpe(folds, matrix=matrix)
    error = {f"mean_valid_{folds[0].measure}": mean_error(folds)}
    return means | error | {"walk_forward_sharpe_per_session": sharpe}


def log_fit(
    around: Surroundings,
    *,
    parameters: Record,
    folds: Sequence[FoldFit],
    train_error: Sequence[float],
    measure: str,
    matrix: TrainingMatrix,
    metrics: dict[str, float],
) -> None:
    """Record curves per round, metrics per fold (one after the other, and in a child run each), and the summary."""
    run = around.run
    curves: dict[str, Sequence[float]] = {f"train_{measure}": train_error}
    for number, fold in enumerate(folds):
        curves[f"fold_{number}/train_{measure}"] = fold.train_error
        curves[f"fold_{number}/valid_{measure}"] = fold.valid_error
        _log_fold(around, number, fold=fold, matrix=matrix)
    for name in folds[0].metrics if folds else ():
        curves[f"fold/{name}"] = [fold.metrics[name] for fold in folds]
    run.log_series(curves)
    run.log_metrics(metrics)
    run.log_params({f"fitted.{name}": value for name, value in parameters.to_json().items()})


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


def log_importance(run: Run, measures: dict[str, dict[str, float]]) -> None:
    """Record what the model uses, the feature that is largest by the first measure first."""
    by = next(iter(measures.values()))
    ranked = sorted(by, key=lambda name: (-by[name], name))
    rows = [
        {"feature": name, **{measure: values[name] for measure, values in measures.items()}}
        for name in ranked
    ]
    run.log_json(rows, path="feature_importance.json")


def log_plots(run: Run, pictures: TrainingPictures) -> None:
    """Draw what there is to show."""
    with tempfile.TemporaryDirectory(prefix="ordinis-plots-") as folder:
        for path in write_training_plots(pictures, Path(folder)):
            run.log_file(path, folder="plots")
