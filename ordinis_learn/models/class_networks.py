"""Networks that tell the direction's class, feed-forward or over a history; asked without torch.

Weights and forward pass are those of :mod:`ordinis_learn.models.network` and :mod:`ordinis_learn.models.sequence`, with a
score per class in place of one forecast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ordinis_learn.models.class_forecaster import ClassForecaster, ClassParameters
from ordinis_learn.models.network import exact_layers, network_misfit, network_outputs
from ordinis_learn.models.sequence import exact_unit, unit_misfit, unit_outputs
from ordinis_learn.models.weights_bundle import NetworkWeights, WeightsBundle

__all__ = ["NetworkClassModel", "SequenceClassModel", "ServedClassNetwork", "ServedClassSequence"]

Float2D = npt.NDArray[np.float64]


class ServedClassNetwork(ClassParameters):
    """What the header declares beside the weights; see :class:`ordinis_learn.models.network.ServedNetwork`."""

    hidden: tuple[int, ...] = Field(min_length=1)
    center: tuple[float, ...]
    spread: tuple[float, ...]
    clip: float = Field(gt=0.0, allow_inf_nan=False)


class ServedClassSequence(ClassParameters):
    """What the header declares beside the weights; see :class:`ordinis_learn.models.sequence.ServedSequence`."""

    steps: int = Field(ge=1)
    hidden: int = Field(ge=1)
    center: tuple[float, ...]
    spread: tuple[float, ...]
    clip: float = Field(gt=0.0, allow_inf_nan=False)


class NetworkClassModel(WeightsBundle[ServedClassNetwork], ClassForecaster[ServedClassNetwork]):
    """A feed-forward network as a :class:`~ordinis_learn.models.class_forecaster.ClassForecaster`.

    Parameters
    ----------
    weights : dict of float32 arrays
        As in :class:`ordinis_learn.models.network.NetworkModel`; the last layer has a row per class.
    feature_names : tuple of str
    horizon_sessions : int
    parameters : ServedClassNetwork
    """

    kind = "mlp_classes"
    declares = ServedClassNetwork

    def _scores(self, rows: Float2D) -> Float2D:
        return network_outputs(rows, layers=self._exact, frame=self._parameters)

    @staticmethod
    def _exactly(weights: NetworkWeights) -> Any:
        return exact_layers(weights)

    @staticmethod
    def _misfit(weights: NetworkWeights, *, parameters: ServedClassNetwork, columns: int) -> str:
        return network_misfit(
            weights,
            frame=parameters,
            hidden=parameters.hidden,
            features=columns,
            outputs=len(parameters.classes),
        )


class SequenceClassModel(WeightsBundle[ServedClassSequence], ClassForecaster[ServedClassSequence]):
    """A recurrent network as a :class:`~ordinis_learn.models.class_forecaster.ClassForecaster`.

    Parameters
    ----------
    weights : dict of float32 arrays
        As in :class:`ordinis_learn.models.sequence.SequenceModel`; ``out`` has a row per class.
    feature_names : tuple of str
        ``steps`` times F columns, the oldest step first.
    horizon_sessions : int
    parameters : ServedClassSequence
    """

    kind = "gru_classes"
    declares = ServedClassSequence

    def _scores(self, rows: Float2D) -> Float2D:
        return unit_outputs(rows, exact=self._exact, declared=self._parameters)

    @staticmethod
    def _exactly(weights: NetworkWeights) -> Any:
        return exact_unit(weights)

    @staticmethod
    def _misfit(weights: NetworkWeights, *, parameters: ServedClassSequence, columns: int) -> str:
        return unit_misfit(weights, declared=parameters, columns=columns, outputs=len(parameters.classes))
