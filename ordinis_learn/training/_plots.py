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
from ordinis_learn.models.class_forecaster import calibrated_probabilities
from ordinis_learn.training.calibration import calibration_bins
from ordinis_learn.training.matrix import TrainingMatrix
from ordinis_learn.training.plots import Explanation, TrainingPictures

__all__ = ["draw"]

_BLUE: Final = "#0072B2"
_VERMILION: Final = "#D55E00"
_GREY: Final = "#666666"
_MOST_FEATURES: Final = 20
_BASIS_POINTS: Final = 1e4
_QUICK: Final = {"compress_level": 2}
"""Of zlib: a picture takes a few kilobytes more, and less time."""
_MEASURES: Final = {
    "rmse": "RMSE of the forward return",
    "logloss": "log loss of the direction",
    "mlogloss": "log loss of the class",
}
_CONTRIBUTIONS: Final = {
    "rmse": "contribution to the forecast (bps)",
    "logloss": "contribution to the log-odds of up",
    "mlogloss": "contribution to the score of up against down",
}
_CHARACTER: Final = 0.011
"""About the width of a character of a tick label, as a share of the figure's."""


def draw(pictures: TrainingPictures, *, folder: Path) -> list[Path]:
    """Write the pictures there is something to show in."""
    figures: dict[str, Figure] = {}
    if pictures.folds:
        figures["learning_curves.png"] = _learning_curves(pictures)
        figures["calibration.png"] = _calibration(pictures)
        figures["return_attribution.png"] = _attribution(pictures)
        if pictures.measure != "rmse":
            figures["reliability.png"] = _reliability(pictures)
    if pictures.explanation is not None:
        figures["shap.png"] = _shap(pictures, pictures.explanation)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            figure.savefig(folder / name, dpi=120, metadata={"Software": "ordinis-learn"}, pil_kwargs=_QUICK)
    except OSError as error:
        raise StoreUnavailable(
            f"write plots into {folder}", found=str(error), next_step="choose a folder that can be written"
        ) from error
    return [folder / name for name in figures]


def _learning_curves(pictures: TrainingPictures) -> Figure:
    measure = _MEASURES[pictures.measure]
    figure, axes = _figure(f"{pictures.name}: weighted {measure} per {pictures.unit}")
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
    axes.set_ylabel(measure)
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


def _reliability(pictures: TrainingPictures) -> Figure:
    """Show the upper class: its probability, and how often it came; before calibration, on rows not trained on."""
    figure, axes = _figure(f"{pictures.name}: probability of up as fitted, and how often it came")
    held_out = [fold.held_out for fold in pictures.folds if fold.held_out is not None]
    said = np.concatenate(
        [calibrated_probabilities(one.scores, shares=one.shares, sharpness=1.0)[:, -1] for one in held_out]
    )
    came = np.concatenate([one.label == one.scores.shape[1] - 1 for one in held_out]).astype(np.float64)
    rows = np.concatenate([fold.test for fold in pictures.folds])
    found = calibration_bins(said, outcome=came, session=pictures.matrix.session[rows])
    reach = 2.0 * np.nan_to_num([one.error for one in found])
    axes.axline((0.5, 0.5), slope=1.0, color=_GREY, linewidth=1, linestyle=(0, (4, 2)), label="as said")
    axes.errorbar(
        [one.forecast for one in found],
        [one.outcome for one in found],
        yerr=reach,
        fmt="o-",
        color=_BLUE,
        linewidth=1.2,
        capsize=3,
        label="±2 standard errors",
    )
    axes.set_xlabel("mean probability of a tenth of the rows")
    axes.set_ylabel("share of them that went up")
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
    names = [pictures.matrix.feature_names[feature] for feature in order]
    left = min(0.04 + _CHARACTER * max(map(len, names)), 0.5)
    figure, axes = _figure(f"{pictures.name}: SHAP values", height=1.6 + 0.3 * len(order), left=left)
    values = explanation.values[:, order]
    ranks = np.argsort(np.argsort(values, axis=0), axis=0) / max(len(values) - 1, 1)
    height = np.arange(len(order)) + np.random.default_rng(0).uniform(-0.3, 0.3, values.shape)
    size = _BASIS_POINTS if pictures.measure == "rmse" else 1.0
    contributions = explanation.contributions[:, order] * size
    # One collection for all features: matplotlib's cost is per collection and per point.
    points = axes.scatter(contributions, height, c=ranks, cmap="cividis", s=4, linewidths=0)
    axes.axvline(0.0, color=_GREY, linewidth=0.8)
    axes.set_yticks(range(len(order)), names)
    axes.set_xlabel(_CONTRIBUTIONS[pictures.measure])
    bar = figure.colorbar(points, ax=axes, ticks=[0.0, 1.0])
    bar.ax.set_yticklabels(["low", "high"])
    bar.set_label("feature, by rank")
    return figure


def _figure(title: str, *, height: float = 4.2, left: float = 0.11) -> tuple[Figure, Axes]:
    # Margins are given: a layout that is solved for draws everything twice.
    figure = Figure(figsize=(8.0, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((left, 0.55 / height, 0.975 - left, 1.0 - 0.95 / height))
    axes.set_title(title, loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes
