"""Ask a model about every (session, symbol) whose features are complete, and count what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import EvalFailed, LearnError
from ordinis_learn.market import FeatureCube
from ordinis_learn.market.lags import lagged_values, missing_features
from ordinis_learn.models import Predictions, SignalModel

__all__ = ["MODEL_FAILURES", "PredictionGrid", "complete_rows", "predict_grid"]

Float2D = npt.NDArray[np.float64]
Bool1D = npt.NDArray[np.bool_]

# A foreign model may fail in many ways (xgboost raises a ValueError, torch a RuntimeError); each is a
# counted error of the model and not of the evaluation. Anything else is a fault to be seen.
MODEL_FAILURES: Final = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError, LearnError)


@dataclass(frozen=True, kw_only=True, eq=False)
class PredictionGrid:
    """Directions on the grid of sessions and symbols.

    Attributes
    ----------
    direction : int8 array, shape (T, N)
        0 where features are incomplete or the model failed.
    rows : int
        How many cells were asked.
    errors : int
        How many of them raised, or came back with a value outside its range.
    quarantined : int
        Of the errors, those that came back: as signals, capture would put them into quarantine.
    """

    direction: npt.NDArray[np.int8]
    rows: int
    errors: int
    quarantined: int = 0

    @property
    def error_rate(self) -> float:
        """Errors per row; NaN when nothing was asked."""
        return self.errors / self.rows if self.rows else np.nan

    @property
    def quarantine_rate(self) -> float:
        """Predictions that capture would quarantine, per row; NaN when nothing was asked."""
        return self.quarantined / self.rows if self.rows else np.nan


def complete_rows(model: SignalModel, cube: FeatureCube) -> tuple[npt.NDArray[np.bool_], Float2D]:
    """Return which cells, shape (T, N), have every feature of a model, and their rows in order of session.

    Raises
    ------
    EvalFailed
        The model wants a feature that there is not.
    """
    _require_features(model, cube)
    values = lagged_values(cube, model.feature_names)
    asked: npt.NDArray[np.bool_] = np.asarray(np.isfinite(values).all(axis=2))
    return asked, values[asked]


def predict_grid(model: SignalModel, cube: FeatureCube) -> PredictionGrid:
    """Predict all complete cells at once; where that raises, session by session.

    A prediction is an error when its call raises, its direction is not −1, 0 or +1, its confidence is not
    in [0, 1], or its expected return is infinite (NaN there is allowed: no forecast).

    Raises
    ------
    EvalFailed
        The model wants a feature that there is not, or answers with the wrong number of rows.
    """
    asked, matrix = complete_rows(model, cube)
    raised = 0
    direction, failed = _ask(model, matrix)
    if direction is None:
        direction, failed, raised = _ask_by_session(model, matrix, rows_per_session=asked.sum(axis=1))
    grid = np.zeros(asked.shape, dtype=np.int8)
    grid[asked] = np.where(failed, 0, direction)
    errors = int(failed.sum())
    return PredictionGrid(direction=grid, rows=len(matrix), errors=errors, quarantined=errors - raised)


def _require_features(model: SignalModel, cube: FeatureCube) -> None:
    if missing := missing_features(model.feature_names, among=cube.names):
        raise EvalFailed(
            f"evaluate a {model.kind} model",
            found=f"it wants features that are not computed: {', '.join(missing)}",
            next_step=f"train on features among: {', '.join(cube.names)}",
        )


def _ask(model: SignalModel, matrix: Float2D) -> tuple[npt.NDArray[np.int8] | None, Bool1D]:
    """Return directions and which rows are errors; None where the call itself failed."""
    if not len(matrix):
        return np.zeros(0, dtype=np.int8), np.zeros(0, dtype=np.bool_)
    try:
        answer = model.predict(matrix)
    except MODEL_FAILURES:
        return None, np.ones(len(matrix), dtype=np.bool_)
    return answer.direction, _invalid(answer, rows=len(matrix), kind=model.kind)


def _ask_by_session(
    model: SignalModel, matrix: Float2D, *, rows_per_session: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int8], Bool1D, int]:
    """Return directions, which rows are errors, and how many of those raised."""
    directions, failures, raised = [], [], 0
    for part in np.split(matrix, np.cumsum(rows_per_session)[:-1]):
        direction, failed = _ask(model, part)
        raised += len(part) if direction is None else 0
        directions.append(np.zeros(len(part), dtype=np.int8) if direction is None else direction)
        failures.append(failed)
    return np.concatenate(directions), np.concatenate(failures), raised


def _invalid(answer: Predictions, *, rows: int, kind: str) -> Bool1D:
    shapes = {answer.direction.shape, answer.confidence.shape, answer.expected_return.shape}
    if shapes != {(rows,)}:
        raise EvalFailed(
            f"evaluate a {kind} model",
            found=f"answers of shape {sorted(shapes)} to {rows} rows",
            next_step="return one direction, confidence and expected return per row",
        )
    bad: Bool1D = (
        ~np.isin(answer.direction, (-1, 0, 1))
        | ~((answer.confidence >= 0.0) & (answer.confidence <= 1.0))
        | np.isinf(answer.expected_return)
    )
    return bad
