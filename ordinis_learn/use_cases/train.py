"""Train (or declare) a model, register it, and sign what it was made from."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ordinis_learn.datasets.execution import open_executor
from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.records import DatasetManifest, ModelArtifact
from ordinis_learn.training import TrainConfig, train_model
from ordinis_learn.training.rows import open_rows
from ordinis_learn.training.spread import RowSource, Spread
from ordinis_learn.training.streamed import StreamedRows
from ordinis_learn.use_cases.attest import register_artifact
from ordinis_learn.use_cases.dead_runs import end_dead_runs
from ordinis_learn.use_cases.failed_trainings import alerts_when_it_fails
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.use_cases.retries import with_retries
from ordinis_learn.use_cases.stages import asked_to_train, made_artifact, stage
from ordinis_learn.use_cases.study_place import study_place
from ordinis_learn.workbench import Workbench

__all__ = ["parse_config", "train"]

_LOGGER: Final = logging.getLogger(__name__)


@alerts_when_it_fails
@stage("train", asked=asked_to_train, made=made_artifact)
def train(
    bench: Workbench,
    config: TrainConfig,
    *,
    resume: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> ModelArtifact:
    """Fit, log, register (state CANDIDATE) and attest one model.

    What fails with a ``retryable`` error is tried again, ``LEARN_TRAIN_RETRIES`` times; each attempt has a run of its
    own. What fails at last is counted: repeated failures are an alert, which the next success closes. A search goes on
    where the attempt before left it. Until the new version is registered nothing else changes:
    what was active stays active.

    Parameters
    ----------
    bench, config
    resume : bool
        There must be a study to go on with.
    sleep : callable
        Waits before an attempt, in seconds.

    Raises
    ------
    DataMissing, DatasetRejected, DataCorrupt
        The dataset cannot be trained on.
    TrainFailed
        The fit failed; the run is marked FAILED and nothing was registered.
    """
    manifest, table = _dataset(bench, config)
    if config.trials:
        # The search that is gone on with may have died with its run open.
        end_dead_runs(bench.tracker)
    return with_retries(
        bench,
        lambda: _attempt(bench, config, manifest=manifest, table=table, resume=resume),
        sleep=sleep,
    )


def _attempt(
    bench: Workbench,
    config: TrainConfig,
    *,
    manifest: DatasetManifest | None,
    table: pa.Table | StreamedRows | None,
    resume: bool,
) -> ModelArtifact:
    with (
        tempfile.TemporaryDirectory(prefix="ordinis-train-") as scratch,
        _spread(bench, config, manifest=manifest) as spread,
    ):
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
            place=study_place(bench, config.name, resume=resume) if config.trials else None,
            spread=spread,
        )
    artifact = register_artifact(bench, trained.artifact, model_uri=trained.model_uri)
    try:
        trained.conclude()
    except StoreUnavailable as error:
        # The version is there. At worst its trials count again with the next one.
        _LOGGER.warning("the study of %s v%s stays open: %s", artifact.name, artifact.version, error)
    return artifact


@contextmanager
def _spread(
    bench: Workbench, config: TrainConfig, *, manifest: DatasetManifest | None
) -> Iterator[Spread | None]:
    """Open the workers that the settings name, where there is something to share out."""
    scheduler = bench.settings.learn_train_scheduler
    if scheduler is None or manifest is None or not (config.folds or config.across_workers):
        yield None
        return
    with open_executor(scheduler, workers=bench.settings.learn_train_workers) as executor:
        source = RowSource(
            manifest=manifest,
            root=bench.settings.datasets_dir,
            memory_gb=bench.settings.learn_train_memory_gb,
        )
        yield Spread(executor=executor, source=source)


def parse_config(config: Mapping[str, Any]) -> TrainConfig:
    """Read a training configuration; raise ConfigInvalid naming the field that is wrong."""
    return parse_record(
        TrainConfig,
        config,
        asked="read the training configuration",
        next_step="ordinis-learn schema export TrainConfig lists every field",
    )


def _dataset(
    bench: Workbench, config: TrainConfig
) -> tuple[DatasetManifest | None, pa.Table | StreamedRows | None]:
    if config.dataset is None:
        return None, None
    manifest = bench.catalogue.dataset(config.dataset)
    settings = bench.settings
    if config.across_workers:
        return manifest, StreamedRows.open(manifest, root=settings.datasets_dir)
    return manifest, open_rows(
        manifest, config=config, root=settings.datasets_dir, memory_gb=settings.learn_train_memory_gb
    )
