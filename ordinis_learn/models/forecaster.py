"""What every fitted regression of the forward return has in common: how a forecast becomes a signal."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ordinis_learn.models.base import Predictions
from ordinis_learn.models.declared import DeclaredModel
from ordinis_learn.models.edge import worthwhile_direction
from ordinis_learn.models.rows import checked_rows

__all__ = ["ForecastScale", "ReturnForecaster"]


class ForecastScale(Protocol):
    """What a header declares of a forecast's use."""

    @property
    def min_edge_bps(self) -> float:
        """The smallest forecast worth trading."""
        ...

    @property
    def scale(self) -> float:
        """The forecast's size, as a fraction, that earns full confidence."""
        ...


P = TypeVar("P", bound=ForecastScale)


class ReturnForecaster(DeclaredModel[P]):
    """A regression of the unsigned forward return over ``horizon_sessions``.

    Direction is the forecast's sign where its size exceeds ``min_edge_bps``, else flat. Confidence is
    min(1, size / ``scale``): monotone in the forecast, not a calibrated probability.

    Parameters
    ----------
    feature_names : tuple of str
    horizon_sessions : int
    parameters : ForecastScale
        What the header declares.
    """

    def predict(self, features: npt.NDArray[np.float64]) -> Predictions:
        """Answer for an (n, F) matrix.

        A row with a non-finite feature is flat with confidence 0 and an expected return of NaN, also where the
        model could handle it: no such row was seen in training.
        """
        rows, complete = checked_rows(features, names=self._feature_names)
        if complete.all():  # as a rule, and then nothing has to be copied
            forecast = np.asarray(self._forecast(rows), dtype=np.float64)
        else:
            forecast = np.full(len(rows), np.nan)
            if complete.any():
                forecast[complete] = self._forecast(rows[complete])
        size = np.fmax(np.abs(forecast), 0.0)  # 0 for NaN
        return Predictions(
            direction=worthwhile_direction(forecast, min_edge_bps=self._parameters.min_edge_bps),
            confidence=np.minimum(size / self._parameters.scale, 1.0),
            expected_return=forecast,
        )

    @abstractmethod
    def _forecast(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.floating]:
        """Return the forecast of each of n complete rows, as a fraction."""
