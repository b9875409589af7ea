"""Fit a small network, feed-forward or over a history, on a training matrix with torch. Loaded by name, for torch is heavy and an extra.

One seed gives the same bytes on one device with one number of threads (tests/training/test_network.py). The
global random state and the number of threads are put back afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ordinis_learn.datasets.splits import purged_walk_forward
from ordinis_learn.models.network import NetworkWeights
from ordinis_learn.training._torch_fit import Frame, NetworkFit, Parameters
from ordinis_learn.training._torch_state import reproducible
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.folds import FoldFit, judged_fold
from ordinis_learn.training.heads import head_of
from ordinis_learn.training.matrix import TrainingMatrix

__all__ = ["FinalNetwork", "NetworkWalkForward", "fit_network_on_all_rows"]


@dataclass(frozen=True, kw_only=True, eq=False)
class FinalNetwork:
    """The network over all rows, its error after each epoch, and how strongly it reacts to each feature.

    ``forecast`` is the expected return of every row, in-sample. ``sensitivity`` is the mean absolute derivative by a
    standardised feature: of the forecast as a fraction, or of the score of up against down.
    """

    weights: NetworkWeights
    frame: Frame
    train_error: tuple[float, ...]
    forecast: npt.NDArray[np.float64]
    sensitivity: dict[str, float]


class NetworkWalkForward:
    """Purged walk-forward folds over one matrix, each standardised by its own past.

    Parameters and errors are those of :class:`ordinis_learn.training._xgboost.WalkForward`.
    """

    def __init__(self, matrix: TrainingMatrix, *, config: TrainConfig) -> None:
        self.matrix = matrix
        self._config = config
        self._head = head_of(config)
        self._splits = tuple(
            purged_walk_forward(
                matrix.label_start,
                matrix.label_end,
                matrix.session,
                folds=config.folds,
                embargo_sessions=config.embargo_sessions,
            )
        )

    def __len__(self) -> int:
        return len(self._splits)

    def fit(self, number: int, *, parameters: Parameters) -> FoldFit:
        """Fit one fold, stopping when its test error has not improved for ``patience`` epochs."""
        split, config, matrix, head = self._splits[number], self._config, self.matrix, self._head
        frame = Frame.of(matrix, split.train, head=head)
        reading = head.learn(matrix.target[split.train], weight=matrix.weight[split.train])
        target, weight = matrix.target[split.test], matrix.weight[split.test]
        with reproducible(name=config.name, device=config.device, threads=config.threads, seed=config.seed):
            fit = NetworkFit(matrix, frame=frame, rows=split.train, config=config, parameters=parameters)
            valid: list[float] = []
            best, raw, rounds = np.inf, np.zeros((len(split.test), head.outputs)), 1
            for epoch in range(parameters.epochs):
                fit.epoch()
                now = fit.raw(split.test)
                valid.append(reading.error(now, target=target, weight=weight))
                if valid[-1] < best:
                    best, raw, rounds = valid[-1], now, epoch + 1
                elif epoch + 1 - rounds >= parameters.patience:
                    break
        return judged_fold(
            raw,
            reading=reading,
            head=head,
            matrix=matrix,
            test=split.test,
            min_edge_bps=config.min_edge_bps,
            train_error=fit.errors,
            valid_error=valid,
            rounds=rounds,
        )

    def fit_every_fold(self, *, parameters: Parameters) -> tuple[FoldFit, ...]:
        """Fit the folds in order of time."""
        return tuple(self.fit(number, parameters=parameters) for number in range(len(self)))


def fit_network_on_all_rows(
    matrix: TrainingMatrix, *, config: TrainConfig, parameters: Parameters, epochs: int
) -> FinalNetwork:
    """Fit every row for a fixed number of epochs; raise TrainFailed where the error is no number any more."""
    everything, head = slice(None), head_of(config)
    frame = Frame.of(matrix, everything, head=head)
    with reproducible(name=config.name, device=config.device, threads=config.threads, seed=config.seed):
        fit = NetworkFit(matrix, frame=frame, rows=everything, config=config, parameters=parameters)
        for _ in range(epochs):
            fit.epoch()
        raw = fit.raw(everything)
        return FinalNetwork(
            weights=fit.weights(),
            frame=frame,
            train_error=fit.errors,
            forecast=head.learn(matrix.target, weight=matrix.weight).forecast(raw),
            sensitivity=dict(zip(matrix.feature_names, fit.sensitivity(), strict=True)),
        )
