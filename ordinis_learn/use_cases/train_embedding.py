"""Train (or declare) an embedding model, register it, and sign what it was made from."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from ordinis_learn.datasets import open_dataset
from ordinis_learn.records import DatasetManifest, ModelArtifact
from ordinis_learn.training import EmbedConfig, train_embedder
from ordinis_learn.use_cases.attest import register_artifact
from ordinis_learn.use_cases.failed_trainings import alerts_when_it_fails
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.use_cases.retries import with_retries
from ordinis_learn.use_cases.stages import asked_to_train, made_artifact, stage
from ordinis_learn.workbench import Workbench

__all__ = ["parse_embedding", "train_embedding"]


def parse_embedding(values: Mapping[str, Any]) -> EmbedConfig:
    """Read a configuration; raise ConfigInvalid naming the field that is wrong."""
    return parse_record(
        EmbedConfig,
        values,
        asked="read the training configuration of an embedding model",
        next_step="ordinis-learn schema export EmbedConfig lists every field",
    )


@alerts_when_it_fails
@stage("train", asked=asked_to_train, made=made_artifact)
def train_embedding(
    bench: Workbench, config: EmbedConfig, *, sleep: Callable[[float], None] = time.sleep
) -> ModelArtifact:
    """Fit, log, register (state CANDIDATE) and attest one model; a ``retryable`` failure is tried again.

    Raises
    ------
    DataMissing, DatasetRejected, DataCorrupt
        The dataset cannot be trained on, or its documents have no texts.
    TrainFailed
        The fit failed; the run is marked FAILED and nothing was registered.
    """
    manifest = None if config.dataset is None else bench.catalogue.dataset(config.dataset)
    table = None if manifest is None else open_dataset(manifest, root=bench.settings.datasets_dir)
    return with_retries(bench, lambda: _attempt(bench, config, manifest=manifest, table=table), sleep=sleep)


def _attempt(
    bench: Workbench, config: EmbedConfig, *, manifest: DatasetManifest | None, table: pa.Table | None
) -> ModelArtifact:
    with tempfile.TemporaryDirectory(prefix="ordinis-train-") as scratch:
        trained = train_embedder(
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
    return register_artifact(bench, trained.artifact, model_uri=trained.model_uri)
