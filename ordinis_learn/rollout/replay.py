"""Ask a model session by session, as live would, and again in one batch.

A model is handed a read-only copy of the feature rows of one session and returns an opinion. It gets no
book, no account and no bus: there is nothing here through which it could reach an order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import ConfigInvalid, LearnError
from ordinis_learn.market import FeatureCube
from ordinis_learn.market.lags import lagged_values, missing_features
from ordinis_learn.models.base import Predictions, SignalModel

__all__ = ["NO_PARITY", "Replay", "parity_difference", "replay"]

NO_PARITY: Final = 1.0
"""What counts as the difference where one of two scores is missing: over any tolerance."""

_MODEL_ERRORS: Final = (LearnError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)

Float2D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay:
    """What a model said at D decision sessions about N symbols.

    Attributes
    ----------
    direction, confidence, expected_return : float64 arrays, shape (D, N)
        NaN where the model was not asked (a feature was missing) or did not answer.
    scored : bool array, shape (D, N)
        Where there is a usable answer.
    asked : bool array, shape (D, N)
        Where every feature the model reads was there.
    latency_ms : float64 array, shape (D,)
        Of the one call per session; NaN where there was none.
    errors : int
        Calls that raised or returned something that is no prediction.
    nan_predictions : int
        Rows answered with a NaN confidence.
    """

    direction: Float2D
    confidence: Float2D
    expected_return: Float2D
    scored: npt.NDArray[np.bool_]
    asked: npt.NDArray[np.bool_]
    latency_ms: npt.NDArray[np.float64]
    errors: int
    nan_predictions: int


def replay(model: SignalModel, *, features: FeatureCube, decisions: npt.NDArray[np.intp]) -> Replay:
    """Ask for an opinion at each decision session, in order, one session at a time.

    Parameters
    ----------
    model : SignalModel
        An exception of the model is counted and its session skipped; the replay goes on.
    features : FeatureCube
        Shape (T, N, F); row t holds what was known at the close of session t.
    decisions : int array, shape (D,)
        Positions of the decision sessions, increasing.
    """
    rows, asked = _rows(model, features=features, decisions=decisions)
    shape = asked.shape
    answers = np.full((3, *shape), np.nan)
    latency_ms = np.full(len(decisions), np.nan)
    errors = 0
    for position in range(len(decisions)):
        here = asked[position]
        if not here.any():
            continue
        started = time.perf_counter()
        try:
            answer = _checked(model.predict(_read_only(rows[position, here])), rows=int(here.sum()))
        except _MODEL_ERRORS:
            errors += 1
            continue
        finally:
            latency_ms[position] = (time.perf_counter() - started) * 1e3
        answers[:, position, here] = answer
    scored = np.isfinite(answers[0]) & np.isfinite(answers[1])
    return Replay(
        direction=answers[0],
        confidence=answers[1],
        expected_return=answers[2],
        scored=scored,
        asked=asked,
        latency_ms=latency_ms,
        errors=errors,
        nan_predictions=int((np.isfinite(answers[0]) & ~scored).sum()),
    )


def parity_difference(
    model: SignalModel, seen: Replay, *, features: FeatureCube, decisions: npt.NDArray[np.intp]
) -> float:
    """Return the largest absolute difference between the replay and one batch over the same rows.

    Compared are direction, confidence and expected return. A value that only one of the two has counts as
    :data:`NO_PARITY`, and so does a batch that fails; 0 where there are no rows.
    """
    rows, asked = _rows(model, features=features, decisions=decisions)
    if not asked.any():
        return 0.0
    try:
        batch = _checked(model.predict(_read_only(rows[asked])), rows=int(asked.sum()))
    except _MODEL_ERRORS:
        return NO_PARITY
    single = np.stack([seen.direction[asked], seen.confidence[asked], seen.expected_return[asked]])
    both, neither = np.isfinite(single) & np.isfinite(batch), np.isnan(single) & np.isnan(batch)
    difference = np.where(
        both, np.abs(np.where(both, single - batch, 0.0)), np.where(neither, 0.0, NO_PARITY)
    )
    return float(difference.max())


def _rows(
    model: SignalModel, *, features: FeatureCube, decisions: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    if missing := missing_features(model.feature_names, among=features.names):
        raise ConfigInvalid(
            f"run a {model.kind} model in shadow",
            found=f"no feature {', '.join(missing)}",
            next_step=f"compute it, or use a model of {', '.join(features.names)}",
        )
    rows = lagged_values(features, model.feature_names)[decisions]
    return rows, np.asarray(np.isfinite(rows).all(axis=2), dtype=np.bool_)


def _read_only(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    copy = np.array(rows, dtype=np.float64, order="C")
    copy.flags.writeable = False
    return copy


def _checked(predictions: Predictions, *, rows: int) -> npt.NDArray[np.float64]:
    """Return direction, confidence and expected return as a (3, n) array."""
    answer = np.stack(
        [
            np.asarray(predictions.direction, dtype=np.float64),
            np.asarray(predictions.confidence, dtype=np.float64),
            np.asarray(predictions.expected_return, dtype=np.float64),
        ]
    )
    if answer.shape != (3, rows):
        raise ValueError(f"predictions have shape {answer.shape[1:]}, expected ({rows},)")
    if not np.isin(answer[0], (-1.0, 0.0, 1.0)).all() or (answer[1] < 0).any() or (answer[1] > 1).any():
        raise ValueError("a direction is not -1, 0 or 1, or a confidence lies outside 0 to 1")
    return answer
