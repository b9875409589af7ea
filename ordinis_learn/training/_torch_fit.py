"""One network on one set of rows, an epoch at a time. Loaded by name, for torch is heavy and an extra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID253  the leaf that needs it

from ordinis_learn.errors import TrainFailed
from ordinis_learn.models.network import NetworkWeights
from ordinis_learn.training._torch_networks import build_network, served_weights
from ordinis_learn.training.config import NetworkParameters, SequenceParameters, TrainConfig
from ordinis_learn.training.heads import Head, head_of
from ordinis_learn.training.matrix import TrainingMatrix

__all__ = ["Frame", "NetworkFit", "Parameters", "Rows"]

_CLIP: Final = 8.0
"""Spreads at which a standardised feature is clipped: a crash is not to be taken for a thousand of them."""
_SMALLEST_SPREAD: Final = 1e-12

Rows = npt.NDArray[Any] | slice
Parameters = NetworkParameters | SequenceParameters
Float2D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """How rows are standardised: weighted mean and deviation of the training features, deviation of the target.

    ``unit`` is 1 where classes are fitted.
    """

    center: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    unit: float
    clip: float = _CLIP

    @classmethod
    def of(cls, matrix: TrainingMatrix, rows: Rows, *, head: Head) -> Frame:
        """Learn it from some rows."""
        features = matrix.features[rows].astype(np.float64)
        weight = matrix.weight[rows]
        center = np.average(features, axis=0, weights=weight)
        spread = np.sqrt(np.average((features - center) ** 2, axis=0, weights=weight))
        size = float(np.sqrt(np.average(matrix.target[rows] ** 2, weights=weight)))
        unit = 1.0 if head.outputs > 1 else size or 1.0
        # A feature that never moved says nothing: with a spread of 1 it stays at 0.
        return cls(center=center, spread=np.where(spread > _SMALLEST_SPREAD, spread, 1.0), unit=unit)

    def standardise(self, matrix: TrainingMatrix, rows: Rows) -> npt.NDArray[np.float32]:
        """Return rows as the network sees them."""
        moved = (matrix.features[rows] - self.center) / self.spread
        return np.clip(moved, -self.clip, self.clip).astype(np.float32)


class NetworkFit:
    """A network that is being fitted.

    Parameters
    ----------
    matrix : TrainingMatrix
    frame : Frame
        Of the same rows.
    rows : int array or slice
    config : TrainConfig
    parameters : NetworkParameters or SequenceParameters
    """

    def __init__(
        self,
        matrix: TrainingMatrix,
        *,
        frame: Frame,
        rows: Rows,
        config: TrainConfig,
        parameters: Parameters,
    ) -> None:
        self._matrix, self._frame, self._config, self._parameters = matrix, frame, config, parameters
        self._device = torch.device(config.device)
        self._head = head_of(config)
        self._input = self._tensor(frame.standardise(matrix, rows))
        self._target = self._targets(matrix.target[rows])
        self._weight = self._tensor(matrix.weight[rows].astype(np.float32))
        self._network = build_network(self._input.shape[1], parameters, outputs=self._head.outputs)
        self._network.to(self._device)
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(), lr=parameters.learning_rate, weight_decay=parameters.weight_decay
        )
        self._errors: list[float] = []

    @property
    def errors(self) -> tuple[float, ...]:
        """Weighted error over each epoch, while it was fitted (dropout on): RMSE as a fraction, or log loss."""
        return tuple(self._errors)

    def epoch(self) -> None:
        """Pass over the rows once, in an order of its own; raise TrainFailed where the error is no number any more."""
        self._network.train()
        order = torch.randperm(len(self._input)).to(self._device)
        lost = torch.zeros((), device=self._device)
        for start in range(0, len(order), self._parameters.batch_rows):
            rows = order[start : start + self._parameters.batch_rows]
            missed = self._missed(rows) * self._weight[rows]
            loss = missed.sum() / self._weight[rows].sum()
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            lost += missed.detach().sum()
        mean = lost / self._weight.sum()
        error = float(mean) if self._head.outputs > 1 else float(mean.sqrt()) * self._frame.unit
        if not np.isfinite(error):
            raise TrainFailed(
                f"fit {self._config.name} with seed {self._config.seed}",
                found=f"an error of {error} in epoch {len(self._errors) + 1}",
                next_step=f"lower {self._config.inner}.learning_rate and train again; what was active stays active",
            )
        self._errors.append(error)

    def raw(self, rows: Rows) -> Float2D:
        """Return the outputs for rows of the matrix, shape (n, outputs): forecasts as a fraction, or class scores."""
        self._network.eval()
        with torch.no_grad():
            answer = self._network(self._tensor(self._frame.standardise(self._matrix, rows)))
        return np.asarray(answer.cpu().numpy(), dtype=np.float64) * self._frame.unit

    def sensitivity(self) -> list[float]:
        """Return the mean absolute derivative by each standardised feature, of the forecast or of up against down."""
        self._network.eval()
        rows = self._input.detach().clone().requires_grad_()
        # cuDNN has a backward pass of recurrent units for training alone, and with dropout on these would be other derivatives.
        with torch.backends.cudnn.flags(enabled=False):
            outputs = self._network(rows)
            asked = outputs[:, -1] - outputs[:, 0] if self._head.outputs > 1 else outputs
            asked.sum().backward()
        moved = rows.grad if rows.grad is not None else torch.zeros_like(rows)
        return [float(value) * self._frame.unit for value in moved.abs().mean(dim=0).cpu()]

    def weights(self) -> NetworkWeights:
        """Return the weights as they are served."""
        return served_weights(self._network)

    def _missed(self, rows: torch.Tensor) -> torch.Tensor:
        """Return each row's loss: squared in units of the deviation, or −log p of its class."""
        outputs = self._network(self._input[rows])
        if self._head.outputs == 1:
            squared: torch.Tensor = (outputs[:, 0] - self._target[rows]) ** 2
            return squared
        # Not torch's cross_entropy: its backward pass has no deterministic form on a GPU.
        came = (torch.log_softmax(outputs, dim=1) * self._target[rows]).sum(dim=1)
        return -came

    def _targets(self, target: npt.NDArray[np.float64]) -> torch.Tensor:
        labels = self._head.labels(target)
        if self._head.outputs == 1:
            return self._tensor((labels / self._frame.unit).astype(np.float32))
        return self._tensor(np.eye(self._head.outputs, dtype=np.float32)[labels.astype(np.intp)])

    def _tensor(self, values: npt.NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device)
