"""What a fit is about: the return itself, or the class of its direction.

A head turns targets into labels, names the error that stops a fit early, and reads the raw outputs of whatever was fitted
as an expected return. Which library fitted them is not its business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import TrainFailed
from ordinis_learn.training.class_calibration import log_loss
from ordinis_learn.training.config import TrainConfig

__all__ = ["ClassHead", "ClassShares", "Head", "Reading", "ReturnHead", "head_of"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]
_BASIS_POINT: Final = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassShares:
    """The weighted share and the mean return of each class among some rows; float64 arrays of shape (K,)."""

    shares: Float1D
    mean_returns: Float1D


class Reading(Protocol):
    """How raw outputs are read, learnt from the training rows of one fit."""

    def forecast(self, raw: Float2D) -> Float1D:
        """Return the expected return of each row, as a fraction, from raw outputs of shape (n, outputs)."""
        ...

    def error(self, raw: Float2D, *, target: Float1D, weight: Float1D) -> float:
        """Return the weighted error by the head's measure."""
        ...

    @property
    def classes(self) -> ClassShares | None:
        """Return what was learnt of the classes, None where none are fitted."""
        ...


class Head(Protocol):
    """What is fitted."""

    @property
    def measure(self) -> str:
        """Return the error's name: ``rmse``, ``logloss`` or ``mlogloss``."""
        ...

    @property
    def outputs(self) -> int:
        """Return how many outputs a row has."""
        ...

    def labels(self, target: Float1D) -> npt.NDArray[np.float64]:
        """Return what is fitted, shape (n,): the return, or the class's number."""
        ...

    def learn(self, target: Float1D, *, weight: Float1D) -> Reading:
        """Return how outputs are read; TrainFailed where a class has no row."""
        ...


@dataclass(frozen=True, kw_only=True)
class ReturnHead:
    """A regression of the forward return."""

    measure: str = "rmse"
    outputs: int = 1
    classes: None = None

    def labels(self, target: Float1D) -> Float1D:
        """Return the returns themselves."""
        return target

    def learn(self, target: Float1D, *, weight: Float1D) -> ReturnHead:
        """Return itself: nothing is to be learnt."""
        del target, weight
        return self

    def forecast(self, raw: Float2D) -> Float1D:
        """Return the outputs."""
        return raw[:, 0]

    def error(self, raw: Float2D, *, target: Float1D, weight: Float1D) -> float:
        """Return the weighted root mean squared error."""
        return float(np.sqrt(np.average((raw[:, 0] - target) ** 2, weights=weight)))


@dataclass(frozen=True, kw_only=True)
class ClassHead:
    """A classification of the return's direction.

    Attributes
    ----------
    classes : tuple of int
        (−1, 1), or (−1, 0, 1). Of two, a return of exactly 0 is in the lower.
    edge : float
        Of three, returns of at most this size are flat; as a fraction.
    name : str
        Of the model, for errors.
    """

    classes: tuple[int, ...]
    edge: float
    name: str

    @property
    def measure(self) -> str:
        """The error that stops a fit: xgboost's name for it."""
        return "logloss" if len(self.classes) == 2 else "mlogloss"

    @property
    def outputs(self) -> int:
        """One score per class."""
        return len(self.classes)

    def labels(self, target: Float1D) -> Float1D:
        """Return each row's class by its number, ascending from short to long.

        Examples
        --------
        >>> three = ClassHead(classes=(-1, 0, 1), edge=0.001, name="m")
        >>> three.labels(np.array([-0.02, 0.001, 0.002])).tolist()
        [0.0, 1.0, 2.0]
        """
        if len(self.classes) == 2:
            return (target > 0.0).astype(np.float64)
        up, down = target > self.edge, target < -self.edge
        return 1.0 + up.astype(np.float64) - down.astype(np.float64)

    def learn(self, target: Float1D, *, weight: Float1D) -> ClassReading:
        """Return the shares and mean returns of the classes.

        Raises
        ------
        TrainFailed
            A class has no row.
        """
        label = self.labels(target).astype(np.intp)
        totals = np.bincount(label, weight, minlength=self.outputs)
        if not (totals > 0.0).all():
            absent = [self.classes[n] for n in np.flatnonzero(totals <= 0.0)]
            raise TrainFailed(
                f"fit the classes of {self.name}",
                found=f"no row of class {', '.join(map(str, absent))} among {len(target)} training rows",
                next_step="give a smaller class_edge_bps, fewer folds or more rows",
            )
        means = np.bincount(label, weight * target, minlength=self.outputs) / totals
        return ClassReading(head=self, classes=ClassShares(shares=totals / totals.sum(), mean_returns=means))


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassReading:
    """Scores read as fitted, without calibration: that comes once, from all folds."""

    head: ClassHead
    classes: ClassShares

    def forecast(self, raw: Float2D) -> Float1D:
        """Return the mean of the classes' mean returns, by their probabilities."""
        raised = np.exp(raw - raw.max(axis=1, keepdims=True))
        expected: Float1D = (raised / raised.sum(axis=1, keepdims=True)) @ self.classes.mean_returns
        return expected

    def error(self, raw: Float2D, *, target: Float1D, weight: Float1D) -> float:
        """Return the weighted mean of −log p of the class that came."""
        return log_loss(raw, label=self.head.labels(target), weight=weight)


def head_of(config: TrainConfig) -> Head:
    """Return the head that a configuration asks for."""
    if config.objective == "return":
        return ReturnHead()
    classes = (-1, 1) if config.objective == "binary" else (-1, 0, 1)
    return ClassHead(classes=classes, edge=config.class_edge_bps * _BASIS_POINT, name=config.name)
