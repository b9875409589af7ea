"""One training run, from a configuration to a logged model that can be registered."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from ordinis_learn.errors import ConfigInvalid, DatasetRejected
from ordinis_learn.ports import Clock, Run, Tracker
from ordinis_learn.records import DatasetManifest
from ordinis_learn.training.code import code_sha256
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.fit import declare_rule, fit_network, fit_trees
from ordinis_learn.training.matrix import TrainingMatrix, training_matrix
from ordinis_learn.training.provenance import Provenance
from ordinis_learn.training.recorded import FittedModel, Recorder, TrainedModel
from ordinis_learn.training.search import StudyPlace, study_key
from ordinis_learn.training.spread import Spread
from ordinis_learn.training.streamed import StreamedRows
from ordinis_learn.training.surroundings import Surroundings

__all__ = ["train_model"]


def train_model(
    config: TrainConfig,
    *,
    manifest: DatasetManifest | None,
    table: pa.Table | StreamedRows | None,
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
        The accepted dataset and its rows, whole or streamed (trees only); None for a rule.
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

    def fit(run: Run) -> FittedModel:
        data_sha256 = manifest.content_sha256 if manifest else ""
        around = Surroundings(
            tracker=tracker,
            run=run,
            study_key=study_key(config, data_sha256=data_sha256, code_sha256=code_sha256()),
            place=place,
            spread=spread,
        )
        return _fit(config, matrix=matrix, around=around)

    recorder = Recorder(
        tracker=tracker,
        provenance=provenance,
        datasets_root=datasets_root,
        scratch=scratch,
        trainer=trainer,
        clock=clock,
    )
    return recorder.record(config, manifest=manifest, fit=fit)


def _fit(config: TrainConfig, *, matrix: TrainingMatrix | None, around: Surroundings) -> FittedModel:
    if matrix is None:
        return declare_rule(config)
    around.run.log_metrics({"rows": float(len(matrix)), "effective_samples": matrix.effective_samples})
    fit = fit_trees if config.model == "xgboost" else fit_network
    return fit(config, matrix=matrix, around=around)


def _matrix(
    config: TrainConfig,
    *,
    manifest: DatasetManifest | None,
    table: pa.Table | StreamedRows | None,
    min_samples: int,
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
