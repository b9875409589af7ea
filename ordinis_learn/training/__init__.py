"""Training with provenance: fit, search, log."""

from ordinis_learn.training.config import (
    ROUND_TRIP_COST_BPS,
    BoosterParameters,
    NetworkParameters,
    TrainConfig,
)
from ordinis_learn.training.provenance import Provenance, collect_provenance
from ordinis_learn.training.trainer import TrainedModel, train_model

__all__ = [
    "ROUND_TRIP_COST_BPS",
    "BoosterParameters",
    "NetworkParameters",
    "Provenance",
    "TrainConfig",
    "TrainedModel",
    "collect_provenance",
    "train_model",
]
