"""Ask a model about every (session, symbol) whose features are complete, and count what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import EvalFailed, LearnError
from ordinis_learn.market import FeatureCube
from ordinis_learn.models import Predictions, SignalModel

__all__ = ["PredictionGrid", "predict_grid"]

Float2D = npt.NDArray[np.float64]
Bool1D = npt.NDArray[np.bool_]

# A foreign model may fail in many ways (xgboost raises a ValueError, torch a RuntimeError); each is a
# counted error of the model and not of the evaluation. Anything else is a fault to be seen.
_MODEL_FAILURES: Final = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError, LearnError)


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
    """

    direction: npt.NDArray[np.int8]
    rows: int
    errors: int

    @property
    def error_rate(self) -> float:
        """Errors per row; NaN when nothing was asked."""
        return self.errors / self.rows if self.rows else np.nan


def predict_grid(model: SignalModel, cube: FeatureCube) -> PredictionGrid:
    """Predict all complete cells at once; where that raises, session by session.

    A prediction is an error when its call raises, its direction is not −1, 0 or +1, its confidence is not
    in [0, 1], or its expected return is infinite (NaN there is allowed: no forecast).

    Raises
    ------
    EvalFailed
        The model wants a feature that there is not, or answers with the wrong number of rows.
    """
    columns = _columns(model, cube)
    asked = np.isfinite(cube.values[:, :, columns]).all(axis=2)
    matrix = cube.values[asked][:, columns]
    direction, failed = _ask(model, matrix)
    if direction is None:
        direction, failed = _ask_by_session(model, matrix, rows_per_session=asked.sum(axis=1))
    grid = np.zeros(asked.shape, dtype=np.int8)
    grid[asked] = np.where(failed, 0, direction)
    return PredictionGrid(direction=grid, rows=len(matrix), errors=int(failed.sum()))


def _columns(model: SignalModel, cube: FeatureCube) -> list[int]:
    missing = [name for name in model.feature_names if name not in cube.names]
    if missing:
        raise EvalFailed(
            f"evaluate a {model.kind} model",
            found=f"it wants features that are not computed: {', '.join(missing)}",
            next_step=f"train on features among: {', '.join(cube.names)}",
        )
    return [cube.names.index(name) for name in model.feature_names]


def _ask(model: SignalModel, matrix: Float2D) -> tuple[npt.NDArray[np.int8] | None, Bool1D]:
    """Return directions and which rows are errors; None where the call itself failed."""
    if not len(matrix):
        return np.zeros(0, dtype=np.int8), np.zeros(0, dtype=np.bool_)
    try:
        answer = model.predict(matrix)
    except _MODEL_FAILURES:
        return None, np.ones(len(matrix), dtype=np.bool_)
    return answer.direction, _invalid(answer, rows=len(matrix), kind=model.kind)


def _ask_by_session(
    model: SignalModel, matrix: Float2D, *, rows_per_session: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int8], Bool1D]:
    directions, failures = [], []
    for part in np.split(matrix, np.cumsum(rows_per_session)[:-1]):
        direction, failed = _ask(model, part)
        directions.append(np.zeros(len(part), dtype=np.int8) if direction is None else direction)
        failures.append(failed)
    return np.concatenate(directions), np.concatenate(failures)


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
