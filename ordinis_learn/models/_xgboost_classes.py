"""Boosted trees that tell the direction's class. Loaded by name, for xgboost is heavy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import xgboost as xgb  # noqa: TID253  the leaf that needs it
from pydantic import ValidationError

from ordinis_learn.models._xgboost import BOOSTER_FILE, corrupt_booster, read_booster
from ordinis_learn.models.class_forecaster import ClassForecaster, ClassParameters
from ordinis_learn.models.header import BundleHeader, write_bundle

__all__ = ["XGBoostClassModel", "class_scores"]


class XGBoostClassModel(ClassForecaster[ClassParameters]):
    """Boosted trees as a :class:`~ordinis_learn.models.class_forecaster.ClassForecaster`.

    Parameters
    ----------
    booster : xgboost.Booster
        Fitted with ``binary:logistic`` for two classes, ``multi:softprob`` for three.
    feature_names : tuple of str
    horizon_sessions : int
    parameters : ClassParameters
    """

    kind = "xgboost_classes"

    def __init__(
        self,
        booster: xgb.Booster,
        *,
        feature_names: tuple[str, ...],
        horizon_sessions: int,
        parameters: ClassParameters,
    ) -> None:
        super().__init__(
            feature_names=feature_names, horizon_sessions=horizon_sessions, parameters=parameters
        )
        booster.set_param({"nthread": 1, "device": "cpu"})
        self._booster = booster

    def _scores(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.floating]:
        return class_scores(self._booster.inplace_predict(np.ascontiguousarray(rows), predict_type="margin"))

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
    def load(cls, folder: Path, header: BundleHeader) -> XGBoostClassModel:
        """Read the booster beside a header; raise DataCorrupt where the two do not fit."""
        try:
            parameters = ClassParameters.model_validate(header.parameters)
        except ValidationError as error:
            raise corrupt_booster(folder, found=str(error).splitlines()[0]) from error
        two = len(parameters.classes) == 2
        return cls(
            read_booster(
                folder,
                header,
                objective="binary:logistic" if two else "multi:softprob",
                classes=0 if two else len(parameters.classes),
            ),
            feature_names=header.feature_names,
            horizon_sessions=header.horizon_sessions,
            parameters=parameters,
        )


def class_scores(margin: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Return margins as logits of every class: of two classes xgboost gives the log-odds of the upper one.

    Examples
    --------
    >>> class_scores(np.array([0.5, -1.0])).tolist()
    [[0.0, 0.5], [0.0, -1.0]]
    """
    if margin.ndim == 2 and margin.shape[1] > 1:
        return margin
    upper = margin.reshape(-1)
    return np.stack([np.zeros_like(upper), upper], axis=1)
