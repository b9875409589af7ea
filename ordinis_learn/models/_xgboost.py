"""Boosted trees that forecast the forward return. Loaded by name, for xgboost is heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import xgboost as xgb  # noqa: TID253  the leaf that needs it
from pydantic import Field, ValidationError

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.models.booster_misfit import booster_misfit
from ordinis_learn.models.forecaster import ReturnForecaster
from ordinis_learn.models.header import BundleHeader, write_bundle
from ordinis_learn.records import Record

__all__ = ["BOOSTER_FILE", "XGBoostParameters", "XGBoostSignalModel", "corrupt_booster", "read_booster"]

BOOSTER_FILE: Final = "booster.ubj"


class XGBoostParameters(Record):
    """What turns a forecast into a signal.

    ``min_edge_bps`` is declared (the round-trip cost), not tuned: a smaller forecast is not worth trading.
    ``scale`` is the forecast's size, as a fraction, that earns full confidence; it comes from training.
    """

    min_edge_bps: float = Field(ge=0.0, allow_inf_nan=False)
    scale: float = Field(gt=0.0, allow_inf_nan=False)


class XGBoostSignalModel(ReturnForecaster[XGBoostParameters]):
    """Boosted trees as a :class:`~ordinis_learn.models.forecaster.ReturnForecaster`.

    Parameters
    ----------
    booster : xgboost.Booster
        Fitted on the same features in the same order.
    feature_names : tuple of str
    horizon_sessions : int
    parameters : XGBoostParameters
    """

    kind = "xgboost"

    def __init__(
        self,
        booster: xgb.Booster,
        *,
        feature_names: tuple[str, ...],
        horizon_sessions: int,
        parameters: XGBoostParameters,
    ) -> None:
        super().__init__(
            feature_names=feature_names, horizon_sessions=horizon_sessions, parameters=parameters
        )
        # One thread: a desk asks for a few rows at a time, and threads cost more than they bring there.
        booster.set_param({"nthread": 1, "device": "cpu"})
        self._booster = booster

    def _forecast(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.floating]:
        forecast: npt.NDArray[np.floating] = self._booster.inplace_predict(np.ascontiguousarray(rows))
        return forecast

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
    def load(cls, folder: Path, header: BundleHeader) -> XGBoostSignalModel:
        """Read the booster beside a header; raise DataCorrupt where the two do not fit."""
        try:
            parameters = XGBoostParameters.model_validate(header.parameters)
        except ValidationError as error:
            raise corrupt_booster(folder, found=str(error).splitlines()[0]) from error
        return cls(
            read_booster(folder, header, objective="reg:squarederror"),
            feature_names=header.feature_names,
            horizon_sessions=header.horizon_sessions,
            parameters=parameters,
        )


def read_booster(folder: Path, header: BundleHeader, *, objective: str, classes: int = 0) -> xgb.Booster:
    """Read the booster beside a header; raise DataCorrupt where it is none, or for other features or another objective."""
    content = (folder / BOOSTER_FILE).read_bytes()
    if found := booster_misfit(
        content, features=len(header.feature_names), objective=objective, classes=classes
    ):
        raise corrupt_booster(folder, found=found)
    booster = xgb.Booster()
    try:
        booster.load_model(bytearray(content))
    except xgb.core.XGBoostError as error:
        raise corrupt_booster(folder, found=str(error).splitlines()[0]) from error
    return booster


def corrupt_booster(folder: Path, *, found: str) -> DataCorrupt:
    """Return the error for a booster that does not fit its header."""
    return DataCorrupt(
        f"load the xgboost model in {folder}",
        found=found,
        next_step="restore the folder from the run's artifacts, or train again with ordinis-learn train",
        folder=str(folder),
    )
