"""What every fitted classifier of the direction has in common: how class probabilities become a signal."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from ordinis_learn.models.base import Predictions
from ordinis_learn.models.declared import DeclaredModel
from ordinis_learn.models.edge import worthwhile_direction
from ordinis_learn.models.rows import checked_rows
from ordinis_learn.records import Record

__all__ = ["ClassForecaster", "ClassParameters", "ClassReading", "calibrated_probabilities"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]

_SETS: Final = ((-1, 1), (-1, 0, 1))


class ClassReading(Protocol):
    """What a header declares of the use of class scores."""

    @property
    def classes(self) -> tuple[int, ...]:
        """The direction that each class stands for, ascending."""
        ...

    @property
    def shares(self) -> tuple[float, ...]:
        """The weighted share of each class among the training rows."""
        ...

    @property
    def mean_returns(self) -> tuple[float, ...]:
        """The weighted mean forward return of each class, as a fraction."""
        ...

    @property
    def sharpness(self) -> float:
        """How far scores are believed beyond the shares: 1 as fitted, 0 not at all."""
        ...

    @property
    def min_edge_bps(self) -> float:
        """The smallest expected return worth trading."""
        ...


class ClassParameters(Record):
    """What turns class scores into a signal; the fields are those of :class:`ClassReading`.

    ``sharpness`` is fitted on rows that no fold was trained on. The mean returns ascend with the classes by construction.
    """

    classes: tuple[int, ...]
    shares: tuple[float, ...]
    mean_returns: tuple[float, ...]
    sharpness: float = Field(ge=0.0, allow_inf_nan=False)
    min_edge_bps: float = Field(ge=0.0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _fits_together(self) -> ClassParameters:
        if self.classes not in _SETS:
            raise ValueError(f"classes {self.classes}; this release reads {_SETS}")
        if not len(self.classes) == len(self.shares) == len(self.mean_returns):
            raise ValueError("as many shares and mean returns as classes are needed")
        if not (min(self.shares) > 0.0 and abs(sum(self.shares) - 1.0) < 1e-6):
            raise ValueError(f"shares {self.shares} are no distribution over all classes")
        if not np.isfinite(self.mean_returns).all():
            raise ValueError(f"mean returns {self.mean_returns} are not finite")
        return self


def calibrated_probabilities(scores: Float2D, *, shares: Float1D, sharpness: float) -> Float2D:
    """Turn class scores into probabilities, drawn towards the shares; rows add up to 1.

    softmax(log π + s · (z − log π)) with shares π and sharpness s: temperature scaling (Guo, Pleiss, Sun & Weinberger
    2017, *On calibration of modern neural networks*) around the base rates, so that a model without skill says the base
    rates, not that all classes are as likely.

    Parameters
    ----------
    scores : array, shape (n, K)
        Logits; a constant added to a row changes nothing.
    shares : array, shape (K,)
    sharpness : float

    Examples
    --------
    >>> scores = np.array([[0.0, 2.0]])
    >>> calibrated_probabilities(scores, shares=np.array([0.4, 0.6]), sharpness=0.0).round(3).tolist()
    [[0.4, 0.6]]
    >>> calibrated_probabilities(scores, shares=np.array([0.4, 0.6]), sharpness=1.0).round(3).tolist()
    [[0.119, 0.881]]
    """
    base = np.log(shares)
    moved = base + sharpness * (scores - base)
    # exp of differences from the largest: no overflow, and the same for a row alone as among others.
    raised = np.exp(moved - moved.max(axis=1, keepdims=True))
    probabilities: Float2D = raised / raised.sum(axis=1, keepdims=True)
    return probabilities


P = TypeVar("P", bound=ClassReading)


class ClassForecaster(DeclaredModel[P]):
    """A classifier of the direction of the forward return over ``horizon_sessions``.

    ``expected_return`` is the mean of the classes' mean returns, weighted by their calibrated probabilities. Direction is
    its sign where its size exceeds ``min_edge_bps``, else flat. Confidence is the calibrated probability of the class of
    that direction, 0 where flat: of rows that say 0.6, about 60 in 100 are right. It may be below one half where what can be
    won is larger than what can be lost.

    Parameters
    ----------
    feature_names : tuple of str
    horizon_sessions : int
    parameters : ClassReading
        What the header declares.
    """

    def probabilities(self, features: npt.ArrayLike) -> Float2D:
        """Return the calibrated probability of each class, shape (n, K); NaN for a row with a non-finite feature."""
        rows, complete = checked_rows(features, names=self._feature_names)
        declared = self._parameters
        answer = np.full((len(rows), len(declared.classes)), np.nan)
        if complete.any():
            scores = np.asarray(self._scores(rows[complete]), dtype=np.float64)
            answer[complete] = calibrated_probabilities(
                scores, shares=np.array(declared.shares), sharpness=declared.sharpness
            )
        return answer

    def predict(self, features: npt.NDArray[np.float64]) -> Predictions:
        """Answer for an (n, F) matrix; a row with a non-finite feature is flat with confidence 0 and a return of NaN."""
        declared = self._parameters
        probabilities = self.probabilities(features)
        # einsum adds in one order, whatever the number of rows.
        expected: Float1D = np.einsum("nk,k->n", probabilities, np.array(declared.mean_returns))
        direction = worthwhile_direction(expected, min_edge_bps=declared.min_edge_bps)
        called = np.searchsorted(declared.classes, direction.astype(np.int64))
        of_called = probabilities[np.arange(len(direction)), np.minimum(called, len(declared.classes) - 1)]
        return Predictions(
            direction=direction,
            confidence=np.where(direction == 0, 0.0, of_called),
            expected_return=expected,
        )

    @abstractmethod
    def _scores(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
        """Return the logits of each of n complete rows, shape (n, K)."""
