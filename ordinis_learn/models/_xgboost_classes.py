"""Boosted trees that tell the direction's class. Loaded by name, for xgboost is heavy."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import xgboost as xgb  # noqa: TID253  the leaf that needs it

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
    def _misfit(booster: xgb.Booster, *, parameters: ClassParameters) -> str:
        learnt = json.loads(booster.save_config())["learner"]
        objective, classes = learnt["objective"]["name"], len(parameters.classes)
        if objective != ("binary:logistic" if classes == 2 else "multi:softprob"):
            return f"trees fitted with {objective}, the header declares {classes} classes"
        groups = int(learnt["learner_model_param"]["num_class"])
        return "" if groups in {0, classes} else f"trees of {groups} classes, the header declares {classes}"


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
