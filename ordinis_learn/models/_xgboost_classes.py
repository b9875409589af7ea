"""Boosted trees that tell the direction's class. Loaded by name, for xgboost is heavy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ordinis_learn.models._xgboost import BoosterBundle
from ordinis_learn.models.class_forecaster import ClassForecaster, ClassParameters

__all__ = ["XGBoostClassModel", "class_scores"]


class XGBoostClassModel(BoosterBundle[ClassParameters], ClassForecaster[ClassParameters]):
    """Boosted trees as a :class:`~ordinis_learn.models.class_forecaster.ClassForecaster`.

    They were fitted with ``binary:logistic`` for two classes, ``multi:softprob`` for three; see
    :class:`~ordinis_learn.models._xgboost.BoosterBundle` for what it is made of.
    """

    kind = "xgboost_classes"
    declares = ClassParameters

    def _scores(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.floating]:
        return class_scores(self._booster.inplace_predict(np.ascontiguousarray(rows), predict_type="margin"))

    @staticmethod
    def _fitted_for(parameters: ClassParameters) -> tuple[str, int]:
        classes = len(parameters.classes)
        return ("binary:logistic", 0) if classes == 2 else ("multi:softprob", classes)


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
