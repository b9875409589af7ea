"""One fold of a walk-forward fit: what was learnt from its past, tried on its future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.training.fold_metrics import position_sharpe
from ordinis_learn.training.matrix import TrainingMatrix

__all__ = ["FoldFit", "confidence_scale", "mean_metrics", "mean_rounds", "walk_forward_sharpe"]

_SMALLEST_SCALE: Final = 1e-6
_FULL_CONFIDENCE_QUANTILE: Final = 0.95


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldFit:
    """A fitted fold.

    Attributes
    ----------
    train_error, valid_error : tuple of float
        Weighted error after each boosting round or epoch.
    measure : str
        What kind of error: ``rmse``, or ``logloss`` and ``mlogloss`` where classes are fitted.
    rounds : int
        Rounds at the lowest validation error; the forecast uses these. They were chosen on the rows that the
        metrics are computed on, so the metrics lean to the bright side: use the scorecard to judge.
    test : int array, shape (m,)
        Rows of the training matrix that were forecast.
    forecast, position : float64 arrays, shape (m,)
        The position is the forecast's sign where it is worth its costs, else 0.
    metrics : dict
        From :func:`ordinis_learn.training.fold_metrics.fold_metrics`; NaN where undefined.
    """

    train_error: tuple[float, ...]
    valid_error: tuple[float, ...]
    rounds: int
    test: npt.NDArray[Any]
    forecast: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]
    metrics: dict[str, float]
    measure: str = "rmse"

    @property
    def best_valid_error(self) -> float:
        """The lowest validation error of the fold."""
        return self.valid_error[self.rounds - 1]


def mean_rounds(folds: Sequence[FoldFit]) -> int:
    """Return the mean of the folds' best rounds, at least 1."""
    return max(1, round(float(np.mean([fold.rounds for fold in folds]))))


def mean_metrics(folds: Sequence[FoldFit]) -> dict[str, float]:
    """Return each metric's mean over the folds where it is defined; NaN where it never is."""
    means = {}
    for name in folds[0].metrics:
        values = np.array([fold.metrics[name] for fold in folds])
        known = values[np.isfinite(values)]
        means[name] = float(known.mean()) if len(known) else float("nan")
    return means


def walk_forward_sharpe(folds: Sequence[FoldFit], *, matrix: TrainingMatrix) -> float:
    """Return the Sharpe ratio per session of the positions over all folds together."""
    rows = np.concatenate([fold.test for fold in folds])
    position = np.concatenate([fold.position for fold in folds])
    return position_sharpe(position, session_return=matrix.session_return[rows], session=matrix.session[rows])


def confidence_scale(forecast: npt.NDArray[np.float64]) -> float:
    """Return the forecast size that earns full confidence: the 95th percentile of the sizes seen.

    Examples
    --------
    >>> confidence_scale(np.array([-0.02, 0.01, 0.0, 0.02]))
    0.02
    """
    return max(float(np.quantile(np.abs(forecast), _FULL_CONFIDENCE_QUANTILE)), _SMALLEST_SCALE)
