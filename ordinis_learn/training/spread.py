"""Folds and trials on other processes or hosts.

A worker opens the dataset itself, by the manifest, and keeps the rows of the last configuration that it was asked for:
a job carries parameters, never rows. Workers must see the datasets under the same names, as they do for labelling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from ordinis_learn.datasets.execution import Executor
from ordinis_learn.errors import LearnError, TrainFailed
from ordinis_learn.records import DatasetManifest, Record
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.folds import FoldFit
from ordinis_learn.training.matrix import TrainingMatrix, training_matrix
from ordinis_learn.training.rows import open_rows
from ordinis_learn.training.trial import TrialOutcome, TrialTask, run_trial
from ordinis_learn.training.walk import Walk
from ordinis_learn.training.walks import open_walk

__all__ = ["RowSource", "Spread", "SpreadTrials", "SpreadWalk"]


@dataclass(frozen=True, kw_only=True)
class RowSource:
    """Where a worker finds the rows, ``<root>/<dataset_id>/<version>/``, and what they may take there, in GiB."""

    manifest: DatasetManifest
    root: Path
    memory_gb: float = 8.0


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Workers, and where they find the rows."""

    executor: Executor
    source: RowSource


class SpreadTrials:
    """Trials on workers; a trial whose worker died is given to another one.

    Parameters
    ----------
    spread : Spread
    config : TrainConfig
    """

    def __init__(self, spread: Spread, *, config: TrainConfig) -> None:
        self._spread = spread
        self._config = config

    @property
    def at_once(self) -> int:
        """The whole batch: the cluster shares it out."""
        return self._config.trials_at_once

    def run(self, tasks: Sequence[TrialTask[Any]]) -> list[TrialOutcome]:
        """Return every task's outcome, in order; outcomes hold no fits, which are large."""
        work = partial(_trial, source=self._spread.source, config=self._config)
        return self._spread.executor.run(work, tasks)


class SpreadWalk:
    """A walk whose folds are fitted by workers.

    Parameters
    ----------
    matrix : TrainingMatrix
        The same rows, for whoever measures the fits.
    spread : Spread
    config : TrainConfig
    """

    def __init__(self, matrix: TrainingMatrix, *, spread: Spread, config: TrainConfig) -> None:
        self.matrix = matrix
        self._spread = spread
        self._config = config

    def __len__(self) -> int:
        return self._config.folds

    def fit(self, number: int, *, parameters: Record) -> FoldFit:
        """Fit one fold."""
        return self._fit([number], parameters=parameters)[0]

    def fit_every_fold(self, *, parameters: Record) -> tuple[FoldFit, ...]:
        """Fit the folds at the same time; they come back in order of time."""
        return tuple(self._fit(range(len(self)), parameters=parameters))

    def _fit(self, numbers: Sequence[int], *, parameters: Record) -> list[FoldFit]:
        work = partial(_fold, source=self._spread.source, config=self._config, parameters=parameters)
        answers = self._spread.executor.run(work, list(numbers))
        fits = [answer for answer in answers if isinstance(answer, FoldFit)]
        if len(fits) < len(answers):
            raise TrainFailed(
                f"fit {self._config.name} with seed {self._config.seed}",
                found=next(answer for answer in answers if isinstance(answer, str)),
                next_step="correct the training configuration or the dataset and train again",
            )
        return fits


def _trial(task: TrialTask[Any], *, source: RowSource, config: TrainConfig) -> TrialOutcome:
    return run_trial(task, walk=_walk(source, config=config))


def _fold(number: int, *, source: RowSource, config: TrainConfig, parameters: Any) -> FoldFit | str:
    """Return the fit, or what stood in its way: our errors have keyword arguments, which pickle cannot rebuild."""
    try:
        return _walk(source, config=config).fit(number, parameters=parameters)
    except LearnError as error:
        return error.found


def _walk(source: RowSource, *, config: TrainConfig) -> Walk[Any]:
    return _opened(_Asked(source=source, config=config))


class _Asked:
    """A key by content for the cache of walks."""

    def __init__(self, *, source: RowSource, config: TrainConfig) -> None:
        self.source = source
        self.config = config
        self._key = (source.manifest.content_sha256, str(source.root), config.content_hash())

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self._key == other._key


_KEPT: Final = 1
"""Walks that a worker keeps: one search at a time has its attention."""


@lru_cache(maxsize=_KEPT)
def _opened(asked: _Asked) -> Walk[Any]:
    manifest = asked.source.manifest
    table = open_rows(manifest, config=asked.config, root=asked.source.root, memory_gb=asked.source.memory_gb)
    # Whoever shares out the work has checked that there is evidence enough.
    matrix = training_matrix(asked.config, manifest=manifest, table=table, min_samples=0)
    return open_walk(matrix, config=asked.config)
