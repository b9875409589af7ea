"""Train (or declare) a model, register it, and sign what it was made from."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from ordinis_learn.datasets import open_dataset
from ordinis_learn.records import DatasetManifest, ModelArtifact
from ordinis_learn.rollout.tags import TRAINING_TAG
from ordinis_learn.training import TrainConfig, train_model
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.use_cases.sign import reference, submit
from ordinis_learn.workbench import Workbench

__all__ = ["parse_config", "train"]


def train(bench: Workbench, config: TrainConfig) -> ModelArtifact:
    """Fit, log, register (state CANDIDATE) and attest one model.

    Raises
    ------
    DataMissing, DatasetRejected, DataCorrupt
        The dataset cannot be trained on.
    TrainFailed
        The fit failed; the run is marked FAILED and nothing was registered.
    """
    manifest, table = _dataset(bench, config)
    with tempfile.TemporaryDirectory(prefix="ordinis-train-") as scratch:
        trained = train_model(
            config,
            manifest=manifest,
            table=table,
            tracker=bench.tracker,
            provenance=bench.provenance(),
            datasets_root=bench.settings.datasets_dir,
            scratch=Path(scratch),
            min_samples=bench.settings.learn_min_samples,
            trainer=bench.settings.actor,
            clock=bench.clock,
        )
    artifact = bench.registry.register(trained.artifact, model_uri=trained.model_uri)
    submit(bench, "training", key=TRAINING_TAG, subject=reference(artifact), predicate=artifact)
    bench.catalogue.add_artifact(artifact)
    return artifact


def parse_config(config: Mapping[str, Any]) -> TrainConfig:
    """Read a training configuration; raise ConfigInvalid naming the field that is wrong."""
    return parse_record(
        TrainConfig,
        config,
        asked="read the training configuration",
        next_step="ordinis-learn schema export TrainConfig lists every field",
    )


def _dataset(bench: Workbench, config: TrainConfig) -> tuple[DatasetManifest | None, pa.Table | None]:
    if config.dataset is None:
        return None, None
    manifest = bench.catalogue.dataset(config.dataset)
    return manifest, open_dataset(manifest, root=bench.settings.datasets_dir)
