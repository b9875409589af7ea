"""Networks that tell the direction's class, feed-forward or over a history; asked without torch.

Weights and forward pass are those of :mod:`ordinis_learn.models.network` and :mod:`ordinis_learn.models.sequence`, with a
score per class in place of one forecast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.models.class_forecaster import ClassForecaster, ClassParameters
from ordinis_learn.models.header import BundleHeader, write_bundle
from ordinis_learn.models.network import (
    WEIGHTS_FILE,
    NetworkWeights,
    exact_layers,
    network_misfit,
    network_outputs,
)
from ordinis_learn.models.sequence import exact_unit, unit_misfit, unit_outputs

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


P = TypeVar("P", bound=ClassParameters)


class _ClassNetwork(ClassForecaster[P], Generic[P]):
    """Weights beside a header, whichever network they are of."""

    kind: str
    _served: type[P]

    def __init__(
        self,
        weights: NetworkWeights,
        *,
        feature_names: tuple[str, ...],
        horizon_sessions: int,
        parameters: P,
    ) -> None:
        super().__init__(
            feature_names=feature_names, horizon_sessions=horizon_sessions, parameters=parameters
        )
        self._weights = weights
        self._exact: Any = self._exactly(weights)

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and ``weights.safetensors`` into a new folder."""
        header = BundleHeader(
            kind=self.kind,
            feature_names=self._feature_names,
            horizon_sessions=self._horizon_sessions,
            parameters=self._parameters.to_json(),
        )
        write_bundle(folder, header, files={WEIGHTS_FILE: save(self._weights)})

    @classmethod
    def load(cls, folder: Path, header: BundleHeader) -> Self:
        """Read the weights beside a header; raise DataCorrupt where the two do not fit."""
        try:
            parameters = cls._served.model_validate(header.parameters)
            weights = load((folder / WEIGHTS_FILE).read_bytes())
        except (SafetensorError, ValidationError) as error:
            raise _corrupt(folder, found=str(error).splitlines()[0]) from error
        if found := cls._misfit(weights, parameters=parameters, columns=len(header.feature_names)):
            raise _corrupt(folder, found=found)
        return cls(
            weights,
            feature_names=header.feature_names,
            horizon_sessions=header.horizon_sessions,
            parameters=parameters,
        )

    @staticmethod
    def _exactly(weights: NetworkWeights) -> Any:
        raise NotImplementedError

    @staticmethod
    def _misfit(weights: NetworkWeights, *, parameters: P, columns: int) -> str:
        raise NotImplementedError


class NetworkClassModel(_ClassNetwork[ServedClassNetwork]):
    """A feed-forward network as a :class:`~ordinis_learn.models.class_forecaster.ClassForecaster`.

    Parameters
    ----------
    weights : dict of float32 arrays
        As :data:`ordinis_learn.models.network.NetworkWeights` says; the last layer has a row per class.
    feature_names : tuple of str
    horizon_sessions : int
    parameters : ServedClassNetwork
    """

    kind = "mlp_classes"
    _served = ServedClassNetwork

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


class SequenceClassModel(_ClassNetwork[ServedClassSequence]):
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
    _served = ServedClassSequence

    def _scores(self, rows: Float2D) -> Float2D:
        return unit_outputs(rows, exact=self._exact, declared=self._parameters)

    @staticmethod
    def _exactly(weights: NetworkWeights) -> Any:
        return exact_unit(weights)

    @staticmethod
    def _misfit(weights: NetworkWeights, *, parameters: ServedClassSequence, columns: int) -> str:
        return unit_misfit(weights, declared=parameters, columns=columns, outputs=len(parameters.classes))


def _corrupt(folder: Path, *, found: str) -> DataCorrupt:
    return DataCorrupt(
        f"load the network in {folder}",
        found=found,
        next_step="restore the folder from the run's artifacts, or train again with ordinis-learn train",
        folder=str(folder),
    )
