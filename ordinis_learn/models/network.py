"""A small feed-forward network that forecasts the forward return; asked without torch.

The weights lie in ``weights.safetensors``, the architecture is declared in the header: nothing in the bundle
is code. The forward pass is NumPy in float64, so a desk that serves a network needs no torch and gets the same
answer to a row alone as to a thousand rows, to within rounding of the sixteenth digit.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ordinis_learn.models.forecaster import ReturnForecaster
from ordinis_learn.models.weights_bundle import WEIGHTS_FILE, NetworkWeights, WeightsBundle
from ordinis_learn.records import Record

__all__ = [
    "WEIGHTS_FILE",
    "NetworkModel",
    "NetworkWeights",
    "ServedNetwork",
    "Standardised",
    "exact_layers",
    "network_misfit",
    "network_outputs",
]

Float2D = npt.NDArray[np.float64]
Layers = list[tuple[Float2D, npt.NDArray[np.float64]]]


class Standardised(Protocol):
    """What a header declares of how features reach a network."""

    @property
    def center(self) -> tuple[float, ...]:
        """The mean of each feature over the training rows."""
        ...

    @property
    def spread(self) -> tuple[float, ...]:
        """Its standard deviation there."""
        ...

    @property
    def clip(self) -> float:
        """At how many spreads a feature is cut."""
        ...


class ServedNetwork(Record):
    """What the header declares beside the weights.

    ``hidden`` are the widths of the ReLU layers. Features are standardised by ``center`` and ``spread`` (one per
    feature, of the training rows) and clipped at ``clip`` spreads; the output is a multiple of ``unit``, the
    standard deviation of the training returns. ``min_edge_bps`` and ``scale`` are those of
    :class:`ordinis_learn.models._xgboost.XGBoostParameters`.
    """

    hidden: tuple[int, ...] = Field(min_length=1)
    center: tuple[float, ...]
    spread: tuple[float, ...]
    clip: float = Field(gt=0.0, allow_inf_nan=False)
    unit: float = Field(gt=0.0, allow_inf_nan=False)
    min_edge_bps: float = Field(ge=0.0, allow_inf_nan=False)
    scale: float = Field(gt=0.0, allow_inf_nan=False)


class NetworkModel(WeightsBundle[ServedNetwork], ReturnForecaster[ServedNetwork]):
    """A regression of the unsigned forward return over ``horizon_sessions``; see the xgboost model for the rest.

    Parameters
    ----------
    weights : dict of float32 arrays
        ``weight_0`` of shape (hidden, F), ``bias_0`` of shape (hidden,), ``weight_1``, …; the last has one row.
    feature_names : tuple of str
    horizon_sessions : int
    parameters : ServedNetwork

    """

    kind = "mlp"
    declares = ServedNetwork

    def _forecast(self, rows: Float2D) -> npt.NDArray[np.float64]:
        outputs: npt.NDArray[np.float64] = network_outputs(rows, layers=self._exact, frame=self._parameters)
        return outputs[:, 0] * self._parameters.unit

    @staticmethod
    def _exactly(weights: NetworkWeights) -> Layers:
        return exact_layers(weights)

    @staticmethod
    def _misfit(weights: NetworkWeights, *, parameters: ServedNetwork, columns: int) -> str:
        return network_misfit(
            weights, frame=parameters, hidden=parameters.hidden, features=columns, outputs=1
        )


def exact_layers(weights: NetworkWeights) -> Layers:
    """Return each layer's weight, transposed, and bias, in doubles."""
    return [
        (weights[f"weight_{n}"].astype(np.float64).T, weights[f"bias_{n}"].astype(np.float64))
        for n in range(len(weights) // 2)
    ]


def network_outputs(rows: Float2D, *, layers: Layers, frame: Standardised) -> Float2D:
    """Return the outputs of a ReLU network for complete rows, shape (n, outputs)."""
    center, spread = np.array(frame.center), np.array(frame.spread)
    reach = frame.clip * spread
    # Clipped before it is divided: a feature of 1e307 is out of reach, not an overflow.
    signal = (np.clip(rows, center - reach, center + reach) - center) / spread
    for weight, bias in layers[:-1]:
        # einsum without optimisation adds in one order, whatever the number of rows; a BLAS product does not.
        signal = np.maximum(np.einsum("nf,fh->nh", signal, weight) + bias, 0.0)
    weight, bias = layers[-1]
    outputs: Float2D = np.einsum("nf,fh->nh", signal, weight) + bias
    return outputs


def network_misfit(
    weights: NetworkWeights, *, frame: Standardised, hidden: tuple[int, ...], features: int, outputs: int
) -> str:
    """Return how the weights differ from the declared architecture, empty where they do not."""
    if len(frame.center) != features or len(frame.spread) != features:
        return f"{len(frame.center)} centers and {len(frame.spread)} spreads for {features} features"
    if not all(np.isfinite([*frame.center, *frame.spread])) or min(frame.spread) <= 0.0:
        return "a center that is not finite, or a spread that is not positive"
    widths = (features, *hidden, outputs)
    wanted: dict[str, tuple[int, ...]] = {}
    for n, (before, after) in enumerate(pairwise(widths)):
        wanted |= {f"weight_{n}": (after, before), f"bias_{n}": (after,)}
    found = {name: array.shape for name, array in weights.items()}
    if found != wanted:
        return f"weights of shapes {found}, the header declares {wanted}"
    if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in weights.values()):
        return "a weight that is not a finite float32"
    return ""
