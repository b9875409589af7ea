"""What every training does around its fit: one run, its provenance, its bundle, and the artifact that names them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ordinis_learn.ports import Clock, ModelExample, Run, Tracker
from ordinis_learn.records import DECLARED, DatasetManifest, ModelArtifact, ModelType, tree_sha256
from ordinis_learn.training.provenance import Provenance
from ordinis_learn.training.run_record import log_dataset, log_patch, run_tags

__all__ = ["FittedModel", "Recorder", "TrainedModel"]


class Trainable(Protocol):
    """What the configurations of all trainings share."""

    @property
    def name(self) -> str:
        """Return the registered model's name."""
        ...

    @property
    def model_type(self) -> str:
        """Return which type of model it is."""
        ...

    @property
    def seed(self) -> int:
        """Return the seed of the fit."""
        ...

    def content_hash(self) -> str:
        """Return the run's ``config_hash``."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        ...

    def run_params(self) -> dict[str, Any]:
        """Return the configuration flat, as a tracker shows it."""
        ...


class Bundled(Protocol):
    """A model that can be saved without pickle."""

    def save(self, folder: Path) -> None:
        """Write the bundle into a new folder."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedModel:
    """What a fit hands over to be saved.

    Attributes
    ----------
    model : Bundled
    feature_names : tuple of str
        The columns of its signature; empty where it takes none.
    metrics : dict
        NaN where undefined.
    example : ModelExample or None
        A few rows that it can be asked about.
    first, last : str or None
        The first session that it learnt from, and the last that a label of it reaches.
    trials, trial_sharpe_variance, search_pbo
        As in :class:`ordinis_learn.records.ModelArtifact`.
    reproducible : bool
        Whether the same configuration and rows give the same bytes.
    conclude : callable
        See :class:`TrainedModel`.
    """

    model: Bundled
    feature_names: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    example: ModelExample | None = None
    first: str | None = None
    last: str | None = None
    trials: int = 1
    trial_sharpe_variance: float | None = None
    search_pbo: float | None = None
    reproducible: bool = True
    conclude: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A logged model. ``artifact.version`` is empty until the registry gives one.

    ``conclude`` is called once the model is registered: what failed before that is tried again from the trials that there are,
    and a search that never came so far counts with the next one.
    """

    artifact: ModelArtifact
    model_uri: str
    bundle: Path
    conclude: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """Where a training is recorded, from which code, by whom and when.

    Attributes
    ----------
    tracker, provenance, trainer, clock
    datasets_root : Path
        The folder with ``<dataset_id>/<version>/`` below it.
    scratch : Path
        A writable folder for the bundle and the patch; the caller removes it.
    """

    tracker: Tracker
    provenance: Provenance
    datasets_root: Path
    scratch: Path
    trainer: str
    clock: Clock

    def record(
        self, config: Trainable, *, manifest: DatasetManifest | None, fit: Callable[[Run], FittedModel]
    ) -> TrainedModel:
        """Fit inside one run, save and log the model; an error marks the run FAILED."""
        provenance = self.provenance
        tags = run_tags(
            model_type=config.model_type,
            config_hash=config.content_hash(),
            seed=config.seed,
            manifest=manifest,
            provenance=provenance,
        )
        with self.tracker.start_run(f"train {config.name}", tags=tags) as run, run.watched():
            run.log_params(config.run_params())
            run.log_json(config.to_json(), path="train_config.json")
            log_patch(run, provenance, scratch=self.scratch)
            if manifest is not None:
                log_dataset(run, manifest, folder=self.datasets_root / manifest.dataset_id / manifest.version)
            fitted = fit(run)
            bundle = self.scratch / "bundle"
            fitted.model.save(bundle)
            model_uri = run.log_model(
                bundle,
                name=config.name,
                feature_names=fitted.feature_names,
                model_type=config.model_type,
                example=fitted.example,
            )
            sha256 = tree_sha256(run.model_folder(model_uri))
            reproducible = str(fitted.reproducible).lower()
            run.set_tags({"ordinis.artifact_sha256": sha256, "ordinis.reproducible": reproducible})
        artifact = self._artifact(
            config, fitted=fitted, manifest=manifest, sha256=sha256, model_uri=model_uri, run_id=run.run_id
        )
        return TrainedModel(artifact=artifact, model_uri=model_uri, bundle=bundle, conclude=fitted.conclude)

    def _artifact(
        self,
        config: Trainable,
        *,
        fitted: FittedModel,
        manifest: DatasetManifest | None,
        sha256: str,
        model_uri: str,
        run_id: str,
    ) -> ModelArtifact:
        return ModelArtifact(
            artifact_id=f"{config.name}-{sha256[:12]}",
            model_type=ModelType(config.model_type),
            version="",
            path_ref=model_uri,
            metrics={name: value for name, value in fitted.metrics.items() if math.isfinite(value)},
            created_at=self.clock().isoformat(),
            data_snapshot_ref=DECLARED if manifest is None else manifest.ref,
            name=config.name,
            code_commit=self.provenance.code_commit,
            code_dirty=self.provenance.code_dirty,
            config_hash=config.content_hash(),
            env_hash=self.provenance.env_hash,
            artifact_sha256=sha256,
            seed=config.seed,
            trials=fitted.trials,
            trial_sharpe_variance=fitted.trial_sharpe_variance,
            search_pbo=fitted.search_pbo,
            reproducible=fitted.reproducible,
            data_sha256=None if manifest is None else manifest.content_sha256,
            trained_from=fitted.first,
            trained_until=fitted.last,
            run_id=run_id,
            trainer=self.trainer,
        )
