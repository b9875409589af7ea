"""Pictures of a training run; matplotlib is loaded only when one is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ordinis_learn.training.folds import FoldFit
from ordinis_learn.training.matrix import TrainingMatrix

__all__ = ["Explanation", "TrainingPictures", "write_training_plots"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """What each feature adds to the forecasts of some rows.

    Attributes
    ----------
    values : float64 array, shape (n, F)
        The rows' features.
    contributions : float64 array, shape (n, F)
        SHAP values: with the mean forecast they add up to the row's forecast, as a fraction (Lundberg et al.
        2020, *From local explanations to global understanding with explainable AI for trees*).
    """

    values: npt.NDArray[np.float64]
    contributions: npt.NDArray[np.float64]

    @property
    def mean_size(self) -> npt.NDArray[np.float64]:
        """The mean absolute contribution of each feature, shape (F,)."""
        sizes: npt.NDArray[np.float64] = np.abs(self.contributions).mean(axis=0)
        return sizes


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingPictures:
    """What the pictures show: the folds of the chosen parameters, and for trees an explanation."""

    name: str
    unit: str
    measure: str
    folds: Sequence[FoldFit]
    matrix: TrainingMatrix
    explanation: Explanation | None = None


def write_training_plots(pictures: TrainingPictures, folder: Path) -> list[Path]:
    """Draw learning curves, calibration, return attribution and SHAP values as PNG files; return their paths.

    All but the last are about rows that the fold was not trained on; without folds only the last is drawn.

    Raises
    ------
    StoreUnavailable
        The folder cannot be written.
    """
    from ordinis_learn.training._plots import draw  # noqa: PLC0415  matplotlib takes its time

    return draw(pictures, folder=folder)
