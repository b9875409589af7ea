"""One training run, from a configuration to a logged model that can be registered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ordinis_learn.errors import ConfigInvalid, DatasetRejected
from ordinis_learn.ports import Clock, Tracker
from ordinis_learn.records import (
    DECLARED,
    DatasetManifest,
    ModelArtifact,
    ModelType,
    tree_sha256,
)
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.fit import Fitted, declare_rule, fit_network, fit_trees
from ordinis_learn.training.matrix import TrainingMatrix, training_matrix
from ordinis_learn.training.provenance import Provenance
from ordinis_learn.training.run_record import log_dataset, log_patch, run_tags
from ordinis_learn.training.search import StudyPlace, study_key
from ordinis_learn.training.spread import Spread
from ordinis_learn.training.surroundings import Surroundings

__all__ = ["TrainedModel", "train_model"]


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A logged model. ``artifact.version`` is empty until the registry gives one."""

    artifact: ModelArtifact
    model_uri: str
    bundle: Path


def train_model(
    config: TrainConfig,
    *,
    manifest: DatasetManifest | None,
    table: pa.Table | None,
    tracker: Tracker,
    provenance: Provenance,
    datasets_root: Path,
    scratch: Path,
    min_samples: int,
    trainer: str,
    clock: Clock,
    place: StudyPlace | None = None,
    spread: Spread | None = None,
) -> TrainedModel:
    """Fit (or declare) a model inside one run of the tracker.

    A search's trials are nested runs below it. A run that leaves with an error is marked failed.

    Parameters
    ----------
    config : TrainConfig
    manifest, table
        The accepted dataset and its rows; None for a rule.
    tracker, provenance, trainer, clock
        Where it is recorded, from which code, by whom, and when.
    datasets_root : Path
        The folder with ``<dataset_id>/<version>/`` below it.
    scratch : Path
        A writable folder for the bundle and the patch; the caller removes it.
    min_samples : int
        The least effective sample size at the model's own horizon (``LEARN_MIN_SAMPLES``).
    place : StudyPlace, optional
        Keeps the search's study across processes; memory otherwise.
    spread : Spread, optional
        Fits folds and trials on other processes or hosts.

    Raises
    ------
    DataMissing, DatasetRejected
        Too little evidence in the dataset, or it failed its expectations.
    ConfigInvalid
        The dataset has no label at the horizon, or none was given.
    TrainFailed
        The fit failed; nothing was logged as a model.
    """
    matrix = _matrix(config, manifest=manifest, table=table, min_samples=min_samples)
    tags = run_tags(
        model_type=config.model_type,
        config_hash=config.content_hash(),
        seed=config.seed,
        manifest=manifest,
        provenance=provenance,
    )
    with tracker.start_run(f"train {config.name}", tags=tags) as run:
        run.log_params(config.run_params())
        run.log_json(config.to_json(), path="train_config.json")
        log_patch(run, provenance, scratch=scratch)
        if manifest is not None:
            log_dataset(run, manifest, folder=datasets_root / manifest.dataset_id / manifest.version)
        around = Surroundings(
            tracker=tracker,
            run=run,
            study_key=study_key(config, data_sha256=manifest.content_sha256 if manifest else ""),
            place=place,
            spread=spread,
        )
        fitted = _fit(config, matrix=matrix, around=around)
        bundle = scratch / "bundle"
        fitted.model.save(bundle)
        model_uri = run.log_model(bundle, name=config.name, feature_names=fitted.model.feature_names)
        sha256 = tree_sha256(run.model_folder(model_uri))
        run.set_tags({"ordinis.artifact_sha256": sha256})
        run_id = run.run_id
    artifact = ModelArtifact(
        artifact_id=f"{config.name}-{sha256[:12]}",
        model_type=ModelType(config.model_type),
        version="",
        path_ref=model_uri,
        metrics={name: value for name, value in fitted.metrics.items() if math.isfinite(value)},
        created_at=clock().isoformat(),
        data_snapshot_ref=DECLARED if manifest is None else manifest.ref,
        name=config.name,
        code_commit=provenance.code_commit,
        code_dirty=provenance.code_dirty,
        config_hash=config.content_hash(),
        env_hash=provenance.env_hash,
        artifact_sha256=sha256,
        seed=config.seed,
        trials=fitted.trials,
        trial_sharpe_variance=fitted.trial_sharpe_variance,
        data_sha256=None if manifest is None else manifest.content_sha256,
        trained_from=None if matrix is None else str(matrix.session.min()),
        trained_until=None if matrix is None else str(matrix.label_end.max()),
        run_id=run_id,
        trainer=trainer,
    )
    return TrainedModel(artifact=artifact, model_uri=model_uri, bundle=bundle)


def _fit(config: TrainConfig, *, matrix: TrainingMatrix | None, around: Surroundings) -> Fitted:
    if matrix is None:
        return declare_rule(config)
    around.run.log_metrics({"rows": float(len(matrix)), "effective_samples": matrix.effective_samples})
    fit = fit_network if config.model == "torch" else fit_trees
    return fit(config, matrix=matrix, around=around)


def _matrix(
    config: TrainConfig, *, manifest: DatasetManifest | None, table: pa.Table | None, min_samples: int
) -> TrainingMatrix | None:
    """Return the rows to train on, None for a rule; refuse what was rejected or does not belong."""
    if config.model == "rule":
        return None
    if manifest is None or table is None:
        raise ConfigInvalid(
            f"train {config.name} on {config.dataset}",
            found="no dataset was opened",
            next_step="give the manifest and the rows of the dataset that the configuration names",
        )
    if not manifest.validation.success:
        raise DatasetRejected(
            f"train {config.name} on {manifest.ref}",
            found=f"it failed {', '.join(manifest.validation.failed) or manifest.validation.error}",
            next_step="correct the events or the window and build the dataset again",
        )
    return training_matrix(config, manifest=manifest, table=table, min_samples=min_samples)
