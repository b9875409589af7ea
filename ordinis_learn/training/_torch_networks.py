"""The networks that can be fitted, and their weights as they are served. Loaded by name, for torch is heavy and an extra."""

from __future__ import annotations

import torch  # noqa: TID253  the leaf that needs it

from ordinis_learn.models.network import NetworkWeights
from ordinis_learn.training.config import NetworkParameters, SequenceParameters

__all__ = ["build_network", "served_weights"]


class _Recurrent(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
    """A gated recurrent unit over rows that hold their history, the oldest step first; its last state gives the forecast."""

    def __init__(self, columns: int, parameters: SequenceParameters, *, outputs: int) -> None:
        super().__init__()
        self._steps = parameters.steps
        self.unit = torch.nn.GRU(columns // parameters.steps, parameters.hidden, batch_first=True)
        self.dropout = torch.nn.Dropout(parameters.dropout)
        self.out = torch.nn.Linear(parameters.hidden, outputs)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        states, _ = self.unit(rows.reshape(len(rows), self._steps, -1))
        forecast: torch.Tensor = self.out(self.dropout(states[:, -1]))
        return forecast


def build_network(
    columns: int, parameters: NetworkParameters | SequenceParameters, *, outputs: int = 1
) -> torch.nn.Module:
    """Return a network for rows of so many columns, with weights of torch's current random state."""
    if isinstance(parameters, SequenceParameters):
        return _Recurrent(columns, parameters, outputs=outputs)
    layers: list[torch.nn.Module] = []
    before = columns
    for width in parameters.hidden:
        layers += [torch.nn.Linear(before, width), torch.nn.ReLU(), torch.nn.Dropout(parameters.dropout)]
        before = width
    return torch.nn.Sequential(*layers, torch.nn.Linear(before, outputs))


def served_weights(network: torch.nn.Module) -> NetworkWeights:
    """Return the weights under the names of :mod:`ordinis_learn.models.network` or :mod:`ordinis_learn.models.sequence`."""
    if isinstance(network, _Recurrent):
        named = {
            "input": network.unit.weight_ih_l0,
            "state": network.unit.weight_hh_l0,
            "input_bias": network.unit.bias_ih_l0,
            "state_bias": network.unit.bias_hh_l0,
            "out": network.out.weight,
            "out_bias": network.out.bias,
        }
    else:
        layers = [layer for layer in network.children() if isinstance(layer, torch.nn.Linear)]
        named = {f"weight_{n}": layer.weight for n, layer in enumerate(layers)}
        named |= {f"bias_{n}": layer.bias for n, layer in enumerate(layers)}
    return {name: array.detach().cpu().numpy().copy() for name, array in named.items()}
