"""One fold of a walk-forward fit: what was learnt from its past, tried on its future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.models.edge import worthwhile_direction
from ordinis_learn.training.class_calibration import HeldOutScores, log_loss
from ordinis_learn.training.fold_metrics import fold_metrics, position_sharpe
from ordinis_learn.training.heads import Head, Reading
from ordinis_learn.training.matrix import TrainingMatrix

__all__ = [
    "FoldFit",
    "class_metrics",
    "confidence_scale",
    "judged_fold",
    "mean_metrics",
    "mean_rounds",
    "walk_forward_sharpe",
]

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
    held_out : HeldOutScores or None
        The class scores of the rows that were forecast, where classes are fitted.
    """

    train_error: tuple[float, ...]
    valid_error: tuple[float, ...]
    rounds: int
    test: npt.NDArray[Any]
    forecast: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]
    metrics: dict[str, float]
    measure: str = "rmse"
    held_out: HeldOutScores | None = None

    @property
    def best_valid_error(self) -> float:
        """The lowest validation error of the fold."""
        return self.valid_error[self.rounds - 1]


def judged_fold(
    raw: npt.NDArray[np.float64],
    *,
    reading: Reading,
    head: Head,
    matrix: TrainingMatrix,
    test: npt.NDArray[Any],
    min_edge_bps: float,
    train_error: Sequence[float],
    valid_error: Sequence[float],
    rounds: int,
) -> FoldFit:
    """Measure what was fitted on the rows that it was tried on.

    Parameters
    ----------
    raw : array, shape (m, outputs)
        Of the rows ``test`` of the matrix, at the best round.
    """
    forecast = reading.forecast(raw)
    position = worthwhile_direction(forecast, min_edge_bps=min_edge_bps).astype(np.float64)
    metrics = fold_metrics(
        forecast=forecast,
        position=position,
        outcome=matrix.target[test],
        session_return=matrix.session_return[test],
        session=matrix.session[test],
    )
    held_out = None
    if reading.classes is not None:
        held_out = HeldOutScores(
            scores=raw,
            label=head.labels(matrix.target[test]),
            weight=matrix.weight[test],
            shares=reading.classes.shares,
        )
        metrics |= class_metrics(held_out)
    return FoldFit(
        train_error=tuple(train_error),
        valid_error=tuple(valid_error),
        rounds=rounds,
        test=test,
        forecast=forecast,
        position=position,
        metrics=metrics,
        measure=head.measure,
        held_out=held_out,
    )


def class_metrics(held_out: HeldOutScores) -> dict[str, float]:
    """Return the share of rows whose likeliest class came, and the log loss less that of the base rates (below 0: skill)."""
    base = np.broadcast_to(np.log(held_out.shares), held_out.scores.shape)
    fitted, known = (
        log_loss(scores, label=held_out.label, weight=held_out.weight) for scores in (held_out.scores, base)
    )
    right = held_out.scores.argmax(axis=1) == held_out.label
    return {
        "accuracy": float(np.average(right, weights=held_out.weight)),
        "log_loss_over_base_rates": fitted - known,
    }


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
