"""Fit a small network on a training matrix with torch. Loaded by name, for torch is heavy and an extra.

One seed gives the same bytes on one device with one number of threads (tests/training/test_network.py). The
global random state and the number of threads are put back afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID253  the leaf that needs it

from ordinis_learn.datasets.splits import purged_walk_forward
from ordinis_learn.errors import TrainFailed
from ordinis_learn.models.edge import worthwhile_direction
from ordinis_learn.models.network import NetworkModel, NetworkWeights, ServedNetwork
from ordinis_learn.training._torch_state import reproducible
from ordinis_learn.training.config import NetworkParameters, TrainConfig
from ordinis_learn.training.fold_metrics import fold_metrics
from ordinis_learn.training.folds import FoldFit
from ordinis_learn.training.matrix import TrainingMatrix

__all__ = ["FinalNetwork", "NetworkWalkForward", "fit_network_on_all_rows"]

_CLIP: Final = 8.0
"""Spreads at which a standardised feature is clipped: a crash is not to be taken for a thousand of them."""
_SMALLEST_SPREAD: Final = 1e-12

Rows = npt.NDArray[Any] | slice


@dataclass(frozen=True, kw_only=True, eq=False)
class FinalNetwork:
    """The network over all rows, its error after each epoch, and how strongly it reacts to each feature.

    ``sensitivity`` is the mean absolute derivative of the forecast by a standardised feature, as a fraction.
    """

    weights: NetworkWeights
    frame: _Frame
    train_rmse: tuple[float, ...]
    forecast: npt.NDArray[np.float64]
    sensitivity: dict[str, float]

    def model(
        self, *, config: TrainConfig, network: NetworkParameters, names: tuple[str, ...], scale: float
    ) -> NetworkModel:
        """Return the model to be saved."""
        parameters = ServedNetwork(
            hidden=network.hidden,
            center=tuple(self.frame.center.tolist()),
            spread=tuple(self.frame.spread.tolist()),
            clip=_CLIP,
            unit=self.frame.unit,
            min_edge_bps=config.min_edge_bps,
            scale=scale,
        )
        return NetworkModel(
            self.weights,
            feature_names=names,
            horizon_sessions=config.horizon_sessions,
            parameters=parameters,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Frame:
    """How rows are standardised: weighted mean and deviation of the training features, deviation of the target."""

    center: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    unit: float

    @classmethod
    def of(cls, matrix: TrainingMatrix, rows: Rows) -> _Frame:
        features = matrix.features[rows].astype(np.float64)
        weight = matrix.weight[rows]
        center = np.average(features, axis=0, weights=weight)
        spread = np.sqrt(np.average((features - center) ** 2, axis=0, weights=weight))
        unit = float(np.sqrt(np.average(matrix.target[rows] ** 2, weights=weight)))
        # A feature that never moved says nothing: with a spread of 1 it stays at 0.
        return cls(center=center, spread=np.where(spread > _SMALLEST_SPREAD, spread, 1.0), unit=unit or 1.0)

    def standardise(self, matrix: TrainingMatrix, rows: Rows) -> npt.NDArray[np.float32]:
        moved = (matrix.features[rows] - self.center) / self.spread
        return np.clip(moved, -_CLIP, _CLIP).astype(np.float32)


class NetworkWalkForward:
    """Purged walk-forward folds over one matrix, each standardised by its own past.

    Parameters and errors are those of :class:`ordinis_learn.training._xgboost.WalkForward`.
    """

    def __init__(self, matrix: TrainingMatrix, *, config: TrainConfig) -> None:
        self.matrix = matrix
        self._config = config
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

    def fit(self, number: int, *, parameters: NetworkParameters) -> FoldFit:
        """Fit one fold, stopping when its test error has not improved for ``patience`` epochs."""
        split, config = self._splits[number], self._config
        frame = _Frame.of(self.matrix, split.train)
        with reproducible(name=config.name, device=config.device, threads=config.threads, seed=config.seed):
            fit = _Fit(self.matrix, frame=frame, rows=split.train, config=config, parameters=parameters)
            valid, best, forecast = [], np.inf, np.zeros(len(split.test))
            for epoch in range(parameters.epochs):
                fit.epoch()
                now = fit.forecast(split.test)
                valid.append(self._error(now, split.test))
                if valid[-1] < best:
                    best, forecast, rounds = valid[-1], now, epoch + 1
                elif epoch + 1 - rounds >= parameters.patience:
                    break
        return self._fold(
            forecast, rows=split.test, train_error=fit.errors, valid_error=tuple(valid), rounds=rounds
        )

    def fit_every_fold(self, *, parameters: NetworkParameters) -> tuple[FoldFit, ...]:
        """Fit the folds in order of time."""
        return tuple(self.fit(number, parameters=parameters) for number in range(len(self)))

    def _error(self, forecast: npt.NDArray[np.float64], rows: npt.NDArray[Any]) -> float:
        squared = (forecast - self.matrix.target[rows]) ** 2
        return float(np.sqrt(np.average(squared, weights=self.matrix.weight[rows])))

    def _fold(self, forecast: npt.NDArray[np.float64], *, rows: npt.NDArray[Any], **curves: Any) -> FoldFit:
        position = worthwhile_direction(forecast, min_edge_bps=self._config.min_edge_bps).astype(np.float64)
        metrics = fold_metrics(
            forecast=forecast,
            position=position,
            outcome=self.matrix.target[rows],
            session_return=self.matrix.session_return[rows],
            session=self.matrix.session[rows],
        )
        return FoldFit(test=rows, forecast=forecast, position=position, metrics=metrics, **curves)


def fit_network_on_all_rows(
    matrix: TrainingMatrix, *, config: TrainConfig, parameters: NetworkParameters, epochs: int
) -> FinalNetwork:
    """Fit every row for a fixed number of epochs; raise TrainFailed where the error is no number any more."""
    everything = slice(None)
    frame = _Frame.of(matrix, everything)
    with reproducible(name=config.name, device=config.device, threads=config.threads, seed=config.seed):
        fit = _Fit(matrix, frame=frame, rows=everything, config=config, parameters=parameters)
        for _ in range(epochs):
            fit.epoch()
        return FinalNetwork(
            weights=fit.weights(),
            frame=frame,
            train_rmse=fit.errors,
            forecast=fit.forecast(everything),
            sensitivity=dict(zip(matrix.feature_names, fit.sensitivity(), strict=True)),
        )


class _Fit:
    """One network on one set of rows, an epoch at a time."""

    def __init__(
        self,
        matrix: TrainingMatrix,
        *,
        frame: _Frame,
        rows: Rows,
        config: TrainConfig,
        parameters: NetworkParameters,
    ) -> None:
        self._matrix, self._frame, self._config, self._parameters = matrix, frame, config, parameters
        self._device = torch.device(config.device)
        self._input = self._tensor(frame.standardise(matrix, rows))
        self._target = self._tensor((matrix.target[rows] / frame.unit).astype(np.float32))
        self._weight = self._tensor(matrix.weight[rows].astype(np.float32))
        self._network = _network(self._input.shape[1], parameters).to(self._device)
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(), lr=parameters.learning_rate, weight_decay=parameters.weight_decay
        )
        self._errors: list[float] = []

    @property
    def errors(self) -> tuple[float, ...]:
        """Weighted error over each epoch, while it was fitted (dropout on), as a fraction."""
        return tuple(self._errors)

    def epoch(self) -> None:
        self._network.train()
        order = torch.randperm(len(self._input)).to(self._device)
        lost = torch.zeros((), device=self._device)
        for start in range(0, len(order), self._parameters.batch_rows):
            rows = order[start : start + self._parameters.batch_rows]
            missed = (self._network(self._input[rows])[:, 0] - self._target[rows]) ** 2 * self._weight[rows]
            loss = missed.sum() / self._weight[rows].sum()
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            lost += missed.detach().sum()
        error = float((lost / self._weight.sum()).sqrt()) * self._frame.unit
        if not np.isfinite(error):
            raise TrainFailed(
                f"fit {self._config.name} with seed {self._config.seed}",
                found=f"an error of {error} in epoch {len(self._errors) + 1}",
                next_step="lower network.learning_rate and train again; what was active stays active",
            )
        self._errors.append(error)

    def forecast(self, rows: Rows) -> npt.NDArray[np.float64]:
        self._network.eval()
        with torch.no_grad():
            answer = self._network(self._tensor(self._frame.standardise(self._matrix, rows)))[:, 0]
        return np.asarray(answer.cpu().numpy(), dtype=np.float64) * self._frame.unit

    def sensitivity(self) -> list[float]:
        self._network.eval()
        rows = self._input.detach().clone().requires_grad_()
        self._network(rows).sum().backward()
        moved = rows.grad if rows.grad is not None else torch.zeros_like(rows)
        return [float(value) * self._frame.unit for value in moved.abs().mean(dim=0).cpu()]

    def weights(self) -> NetworkWeights:
        layers = [layer for layer in self._network if isinstance(layer, torch.nn.Linear)]
        found: NetworkWeights = {}
        for n, layer in enumerate(layers):
            found[f"weight_{n}"] = layer.weight.detach().cpu().numpy().copy()
            found[f"bias_{n}"] = layer.bias.detach().cpu().numpy().copy()
        return found

    def _tensor(self, values: npt.NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)


def _network(features: int, parameters: NetworkParameters) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    before = features
    for width in parameters.hidden:
        layers += [torch.nn.Linear(before, width), torch.nn.ReLU(), torch.nn.Dropout(parameters.dropout)]
        before = width
    return torch.nn.Sequential(*layers, torch.nn.Linear(before, 1))
