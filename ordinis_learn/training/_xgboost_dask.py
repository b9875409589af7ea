"""One model across the workers of a Dask cluster, for what fits nowhere. Loaded by name: dask and xgboost are heavy.

Workers add up their histograms in whatever order they are done, so that two equal fits have other bytes: the model is
marked as not reproducible, and ``reproduce`` says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb  # noqa: TID253  the leaf that needs it
from dask import array
from dask.delayed import delayed
from xgboost import dask as xgb_dask  # noqa: TID253

from ordinis_learn.training._xgboost import FinalFit, final_fit, learner_parameters, translated_fit
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.heads import head_of
from ordinis_learn.training.matrix import TrainingMatrix, training_matrix
from ordinis_learn.training.spread import RowSource
from ordinis_learn.training.streamed import StreamedRows

__all__ = ["fit_across_workers"]

Part = tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.float64]]


def fit_across_workers(
    matrix: TrainingMatrix, *, config: TrainConfig, client: Any, source: RowSource
) -> FinalFit:
    """Fit every row with ``config.rounds`` rounds; each worker reads files of the dataset of its own.

    Parameters
    ----------
    matrix : TrainingMatrix
        The same rows, for their names.
    config : TrainConfig
    client : distributed.Client
    source : RowSource
        Where the workers find the files.

    Raises
    ------
    TrainFailed
        xgboost refused.
    """
    head = head_of(config)
    names = list(matrix.feature_names)
    parts = [delayed(_part)(path, source, config) for path in _files(source)]
    lazily: Any = array
    features, labels, weights = (
        lazily.concatenate([_lazy(part[n], columns=len(names) if n == 0 else 0) for part in parts])
        for n in range(3)
    )
    # xgboost looks for the client of the moment, also where it is given one.
    with translated_fit(config), client.as_current():
        data = xgb_dask.DaskQuantileDMatrix(client, features, labels, weight=weights, feature_names=names)
        told = learner_parameters(config.booster, config=config, head=head, names=matrix.feature_names)
        fitted = xgb_dask.train(
            client, told, data, num_boost_round=config.rounds, evals=[(data, "train")], verbose_eval=False
        )
    booster: xgb.Booster = fitted["booster"]
    return final_fit(booster, errors=fitted["history"]["train"][head.measure], names=matrix.feature_names)


def _files(source: RowSource) -> list[str]:
    return [file.path for file in source.manifest.files if file.rows]


def _part(path: str, source: RowSource, config: TrainConfig) -> Part:
    """Read what one file holds of the rows that may be trained on; on a worker."""
    whole = source.manifest
    manifest = whole.model_copy(update={"files": tuple(file for file in whole.files if file.path == path)})
    rows = StreamedRows.open(manifest, root=source.root)
    matrix = training_matrix(config, manifest=manifest, table=rows, min_samples=0)
    batches = [] if matrix.stream is None else list(matrix.stream.batches())
    features = np.concatenate([matrix.features, *batches])
    return features, head_of(config).labels(matrix.target), matrix.weight


def _lazy(part: Any, *, columns: int) -> Any:
    shape = (np.nan, columns) if columns else (np.nan,)
    lazily: Any = array
    return lazily.from_delayed(part, shape=shape, dtype=np.float32 if columns else np.float64)
