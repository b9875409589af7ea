"""The walk of each kind of model; its library is loaded when one is opened."""

from __future__ import annotations

from typing import Any

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.matrix import TrainingMatrix
from ordinis_learn.training.walk import Walk

__all__ = ["open_walk"]


def open_walk(matrix: TrainingMatrix, *, config: TrainConfig) -> Walk[Any]:
    """Prepare the folds of a configuration.

    Raises
    ------
    ConfigInvalid
        torch is not installed.
    DataMissing
        Too few sessions for so many folds.
    """
    if config.model not in {"torch", "sequence"}:
        from ordinis_learn.training._xgboost import WalkForward  # noqa: PLC0415  heavy

        return WalkForward(matrix, config=config)
    try:
        from ordinis_learn.training._torch import NetworkWalkForward  # noqa: PLC0415  heavy
    except ImportError as error:
        raise ConfigInvalid(
            f"train {config.name} with model={config.model}",
            found="the package torch is not installed",
            next_step="pip install 'ordinis-learn[torch]'",
        ) from error
    return NetworkWalkForward(matrix, config=config)
