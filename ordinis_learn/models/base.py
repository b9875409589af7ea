"""The one interface through which any signal model is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Predictions", "SignalModel"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What a model says about n rows.

    Attributes
    ----------
    direction : int8 array, shape (n,)
        +1 long, −1 short, 0 flat.
    confidence : float64 array, shape (n,)
        In [0, 1].
    expected_return : float64 array, shape (n,)
        Forecast of the unsigned forward return over the model's horizon, as a fraction; NaN where the
        model does not forecast a size.
    """

    direction: npt.NDArray[np.int8]
    confidence: npt.NDArray[np.float64]
    expected_return: npt.NDArray[np.float64]


class SignalModel(Protocol):
    """A model that turns feature rows into directions.

    Models are pure: the same rows give the same answer, one by one or together. Threads may share one.
    """

    @property
    def kind(self) -> str:
        """Return the bundle kind, e.g. ``rule`` or ``xgboost``."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the columns of ``predict``'s argument, in order."""
        ...

    @property
    def horizon_sessions(self) -> int:
        """Return the horizon of the forecast."""
        ...

    def predict(self, features: npt.NDArray[np.float64]) -> Predictions:
        """Answer for an (n, F) matrix; a row with a non-finite feature is flat with confidence 0."""
        ...

    def save(self, folder: Path) -> None:
        """Write the bundle (no pickle) into a new folder."""
        ...
