"""Training with provenance: fit, search, log."""

from ordinis_learn.training.config import (
    ROUND_TRIP_COST_BPS,
    BoosterParameters,
    NetworkParameters,
    SequenceParameters,
    TrainConfig,
)
from ordinis_learn.training.embed_config import EmbedConfig
from ordinis_learn.training.embed_trainer import train_embedder
from ordinis_learn.training.provenance import Provenance, collect_provenance
from ordinis_learn.training.recorded import TrainedModel
from ordinis_learn.training.trainer import train_model

__all__ = [
    "ROUND_TRIP_COST_BPS",
    "BoosterParameters",
    "EmbedConfig",
    "NetworkParameters",
    "Provenance",
    "SequenceParameters",
    "TrainConfig",
    "TrainedModel",
    "collect_provenance",
    "train_embedder",
    "train_model",
]
