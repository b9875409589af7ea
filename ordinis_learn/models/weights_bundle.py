"""A network as a bundle: weights beside a header that declares what they must be, whichever network and whatever it says."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.models.declared import DeclaredModel
from ordinis_learn.models.header import BundleHeader, write_bundle
from ordinis_learn.records import Record

__all__ = ["WEIGHTS_FILE", "NetworkWeights", "WeightsBundle"]

WEIGHTS_FILE: Final = "weights.safetensors"

NetworkWeights = dict[str, npt.NDArray[np.float32]]
"""Arrays by name; each network says which."""

P = TypeVar("P", bound=Record)


class WeightsBundle(DeclaredModel[P], Generic[P]):
    """A model that is its weights and its header; it stands before what says how scores become a signal.

    Parameters
    ----------
    weights : dict of float32 arrays
    feature_names : tuple of str
    horizon_sessions : int
    parameters : Record
        What the header declares beside the weights, of the type ``declares``.
    """

    kind: str
    declares: ClassVar[type[Record]]
    called: ClassVar[str] = "network"
    """What an error calls it."""

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
            parameters: Any = cls.declares.model_validate(header.parameters)
            weights = load((folder / WEIGHTS_FILE).read_bytes())
        except (SafetensorError, ValidationError) as error:
            raise cls._corrupt(folder, found=str(error).splitlines()[0]) from error
        if found := cls._misfit(weights, parameters=parameters, columns=len(header.feature_names)):
            raise cls._corrupt(folder, found=found)
        return cls(
            weights,
            feature_names=header.feature_names,
            horizon_sessions=header.horizon_sessions,
            parameters=parameters,
        )

    @classmethod
    def _corrupt(cls, folder: Path, *, found: str) -> DataCorrupt:
        return DataCorrupt(
            f"load the {cls.called} in {folder}",
            found=found,
            next_step="restore the folder from the run's artifacts, or train again with ordinis-learn train",
            folder=str(folder),
        )

    @staticmethod
    @abstractmethod
    def _exactly(weights: NetworkWeights) -> Any:
        """Return the weights in doubles, as the forward pass takes them."""

    @staticmethod
    @abstractmethod
    def _misfit(weights: NetworkWeights, *, parameters: P, columns: int) -> str:
        """Return how the weights differ from the declared architecture, empty where they do not."""
