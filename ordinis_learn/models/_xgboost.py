"""Boosted trees that forecast the forward return. Loaded by name, for xgboost is heavy."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt
import xgboost as xgb  # noqa: TID253  the leaf that needs it
from pydantic import Field, ValidationError

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.models.booster_misfit import booster_misfit
from ordinis_learn.models.declared import DeclaredModel
from ordinis_learn.models.forecaster import ReturnForecaster
from ordinis_learn.models.header import BundleHeader, write_bundle
from ordinis_learn.records import Record

__all__ = ["BOOSTER_FILE", "BoosterBundle", "XGBoostParameters", "XGBoostSignalModel"]

BOOSTER_FILE: Final = "booster.ubj"


class XGBoostParameters(Record):
    """What turns a forecast into a signal.

    ``min_edge_bps`` is declared (the round-trip cost), not tuned: a smaller forecast is not worth trading.
    ``scale`` is the forecast's size, as a fraction, that earns full confidence; it comes from training.
    """

    min_edge_bps: float = Field(ge=0.0, allow_inf_nan=False)
    scale: float = Field(gt=0.0, allow_inf_nan=False)


P = TypeVar("P", bound=Record)


class BoosterBundle(DeclaredModel[P], Generic[P]):
    """A model that is its trees and its header; it stands before what says how their answers become a signal.

    Parameters
    ----------
    booster : xgboost.Booster
        Fitted on the same features in the same order.
    feature_names : tuple of str
    horizon_sessions : int
    parameters : Record
        What the header declares beside the trees, of the type ``declares``.
    """

    kind: str
    declares: ClassVar[type[Record]]

    def __init__(
        self,
        booster: xgb.Booster,
        *,
        feature_names: tuple[str, ...],
        horizon_sessions: int,
        parameters: P,
    ) -> None:
        super().__init__(
            feature_names=feature_names, horizon_sessions=horizon_sessions, parameters=parameters
        )
        # One thread: a desk asks for a few rows at a time, and threads cost more than they bring there.
        booster.set_param({"nthread": 1, "device": "cpu"})
        self._booster = booster

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and ``booster.ubj`` into a new folder."""
        header = BundleHeader(
            kind=self.kind,
            feature_names=self._feature_names,
            horizon_sessions=self._horizon_sessions,
            parameters=self._parameters.to_json(),
        )
        write_bundle(folder, header, files={BOOSTER_FILE: bytes(self._booster.save_raw("ubj"))})

    @classmethod
    def load(cls, folder: Path, header: BundleHeader) -> Self:
        """Read the booster beside a header; raise DataCorrupt where the two do not fit."""
        try:
            parameters: Any = cls.declares.model_validate(header.parameters)
        except ValidationError as error:
            raise _corrupt(folder, found=str(error).splitlines()[0]) from error
        objective, classes = cls._fitted_for(parameters)
        return cls(
            _read_booster(folder, header, objective=objective, classes=classes),
            feature_names=header.feature_names,
            horizon_sessions=header.horizon_sessions,
            parameters=parameters,
        )

    @staticmethod
    @abstractmethod
    def _fitted_for(parameters: P) -> tuple[str, int]:
        """Return xgboost's name of the objective, and the number of classes as :func:`booster_misfit` counts them."""
        ...


class XGBoostSignalModel(BoosterBundle[XGBoostParameters], ReturnForecaster[XGBoostParameters]):
    """Boosted trees as a :class:`~ordinis_learn.models.forecaster.ReturnForecaster`; see :class:`BoosterBundle`."""

    kind = "xgboost"
    declares = XGBoostParameters

    def _forecast(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.floating]:
        forecast: npt.NDArray[np.floating] = self._booster.inplace_predict(
            np.ascontiguousarray(rows),
            validate_features=False,  # the rows were checked against the header, the header against the trees
        )
        return forecast

    @staticmethod
    def _fitted_for(parameters: XGBoostParameters) -> tuple[str, int]:
        del parameters
        return "reg:squarederror", 0


def _read_booster(folder: Path, header: BundleHeader, *, objective: str, classes: int) -> xgb.Booster:
    """Read the booster beside a header; raise DataCorrupt where it is none, or for other features or another objective."""
    content = (folder / BOOSTER_FILE).read_bytes()
    if found := booster_misfit(
        content, features=len(header.feature_names), objective=objective, classes=classes
    ):
        raise _corrupt(folder, found=found)
    booster = xgb.Booster()
    try:
        booster.load_model(bytearray(content))
    except xgb.core.XGBoostError as error:
        raise _corrupt(folder, found=str(error).splitlines()[0]) from error
    return booster


def _corrupt(folder: Path, *, found: str) -> DataCorrupt:
    """Return the error for a booster that does not fit its header."""
    return DataCorrupt(
        f"load the xgboost model in {folder}",
        found=found,
        next_step="restore the folder from the run's artifacts, or train again with ordinis-learn train",
        folder=str(folder),
    )
