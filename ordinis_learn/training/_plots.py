"""The matplotlib side of :mod:`ordinis_learn.training.plots`.

Figures are built without pyplot, so nothing global is touched and threads may draw at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes  # noqa: TID253  this leaf is loaded by name
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: TID253
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num  # noqa: TID253
from matplotlib.figure import Figure  # noqa: TID253

from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.training.calibration import calibration_bins
from ordinis_learn.training.matrix import TrainingMatrix
from ordinis_learn.training.plots import Explanation, TrainingPictures

__all__ = ["draw"]

_BLUE: Final = "#0072B2"
_VERMILION: Final = "#D55E00"
_GREY: Final = "#666666"
_MOST_FEATURES: Final = 20
_BASIS_POINTS: Final = 1e4


def draw(pictures: TrainingPictures, *, folder: Path) -> list[Path]:
    """Write the pictures there is something to show in."""
    figures: dict[str, Figure] = {}
    if pictures.folds:
        figures["learning_curves.png"] = _learning_curves(pictures)
        figures["calibration.png"] = _calibration(pictures)
        figures["return_attribution.png"] = _attribution(pictures)
    if pictures.explanation is not None:
        figures["shap.png"] = _shap(pictures, pictures.explanation)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            figure.savefig(folder / name, dpi=120, metadata={"Software": "ordinis-learn"})
    except OSError as error:
        raise StoreUnavailable(
            f"write plots into {folder}", found=str(error), next_step="choose a folder that can be written"
        ) from error
    return [folder / name for name in figures]


def _learning_curves(pictures: TrainingPictures) -> Figure:
    figure, axes = _figure(f"{pictures.name}: weighted RMSE per {pictures.unit}")
    for number, fold in enumerate(pictures.folds):
        first = number == 0
        steps = np.arange(1, len(fold.train_error) + 1)
        axes.plot(
            steps, fold.train_error, color=_GREY, alpha=0.6, linewidth=1, label="train" if first else None
        )
        axes.plot(steps, fold.valid_error, color=_BLUE, linewidth=1.3, label="validation" if first else None)
        best = "best" if first else None
        axes.plot(fold.rounds, fold.best_valid_error, "o", color=_VERMILION, markersize=5, label=best)
    axes.set_xlabel(pictures.unit)
    axes.set_ylabel("RMSE of the forward return")
    axes.legend(frameon=False)
    return figure


def _calibration(pictures: TrainingPictures) -> Figure:
    figure, axes = _figure(f"{pictures.name}: forecast and outcome, rows not trained on")
    rows = np.concatenate([fold.test for fold in pictures.folds])
    forecast = np.concatenate([fold.forecast for fold in pictures.folds])
    matrix = pictures.matrix
    found = calibration_bins(forecast, outcome=matrix.target[rows], session=matrix.session[rows])
    at = np.array([one.forecast for one in found]) * _BASIS_POINTS
    mean = np.array([one.outcome for one in found]) * _BASIS_POINTS
    reach = 2.0 * np.nan_to_num([one.error for one in found]) * _BASIS_POINTS
    axes.axline((0.0, 0.0), slope=1.0, color=_GREY, linewidth=1, linestyle=(0, (4, 2)), label="as forecast")
    axes.errorbar(
        at, mean, yerr=reach, fmt="o-", color=_BLUE, linewidth=1.2, capsize=3, label="±2 standard errors"
    )
    axes.set_xlabel("mean forecast of a tenth of the rows (bps)")
    axes.set_ylabel("mean outcome (bps)")
    axes.legend(frameon=False)
    return figure


def _attribution(pictures: TrainingPictures) -> Figure:
    figure, axes = _figure(f"{pictures.name}: what the positions earned, walk-forward, free of costs")
    rows = np.concatenate([fold.test for fold in pictures.folds])
    position = np.concatenate([fold.position for fold in pictures.folds])
    parts = {
        "long": (np.maximum(position, 0.0), _BLUE, "-"),
        "short": (np.minimum(position, 0.0), _VERMILION, "-"),
        "together": (position, "black", ":"),
    }
    for label, (held, colour, style) in parts.items():
        days, earned = _earned(held, matrix=pictures.matrix, rows=rows)
        axes.plot(date2num(days), 100.0 * np.cumsum(earned), color=colour, linestyle=style, label=label)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel("sum of one-session returns (%)")
    axes.legend(frameon=False)
    return figure


def _earned(
    held: npt.NDArray[np.float64], *, matrix: TrainingMatrix, rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.float64]]:
    """Return per session the mean of position times return over the rows whose return is known."""
    known = np.isfinite(matrix.session_return[rows])
    days, day = np.unique(matrix.session[rows][known], return_inverse=True)
    earned = np.bincount(day, held[known] * matrix.session_return[rows][known], minlength=len(days))
    return days, earned / np.maximum(np.bincount(day, minlength=len(days)), 1)


def _shap(pictures: TrainingPictures, explanation: Explanation) -> Figure:
    order = np.argsort(explanation.mean_size)[::-1][:_MOST_FEATURES][::-1]
    figure, axes = _figure(f"{pictures.name}: SHAP values", height=1.6 + 0.3 * len(order))
    rng = np.random.default_rng(0)
    for height, feature in enumerate(order):
        values = explanation.values[:, feature]
        ranks = np.argsort(np.argsort(values)) / max(len(values) - 1, 1)
        spread = rng.uniform(-0.3, 0.3, len(values))
        points = axes.scatter(
            explanation.contributions[:, feature] * _BASIS_POINTS,
            height + spread,
            c=ranks,
            cmap="cividis",
            s=4,
            linewidths=0,
        )
    axes.axvline(0.0, color=_GREY, linewidth=0.8)
    axes.set_yticks(range(len(order)), [pictures.matrix.feature_names[feature] for feature in order])
    axes.set_xlabel("contribution to the forecast (bps)")
    bar = figure.colorbar(points, ax=axes, ticks=[0.0, 1.0])
    bar.ax.set_yticklabels(["low", "high"])
    bar.set_label("feature, by rank")
    return figure


def _figure(title: str, *, height: float = 4.2) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.0, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes
