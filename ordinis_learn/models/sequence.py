"""A small recurrent network over a symbol's feature history that forecasts the forward return; asked without torch.

A row holds the history, oldest first (``ret_5@35``, …, ``ret_5``; see :mod:`ordinis_learn.market.lags`); a gated recurrent
unit reads it step by step, and its last state gives the forecast. So nothing later than the row's own session is ever
read. The unit is that of Cho et al. (2014), *Learning phrase representations using RNN encoder–decoder for statistical
machine translation*, with the reset gate behind the recurrent product, as torch has it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ordinis_learn.models.forecaster import ReturnForecaster
from ordinis_learn.models.network import Standardised
from ordinis_learn.models.weights_bundle import NetworkWeights, WeightsBundle
from ordinis_learn.records import Record

__all__ = ["DeclaredUnit", "SequenceModel", "ServedSequence", "exact_unit", "unit_misfit", "unit_outputs"]

Float2D = npt.NDArray[np.float64]


class DeclaredUnit(Standardised, Protocol):
    """What a header declares of a recurrent network."""

    @property
    def steps(self) -> int:
        """The length of the history."""
        ...

    @property
    def hidden(self) -> int:
        """The width of the state."""
        ...


class ServedSequence(Record):
    """What the header declares beside the weights.

    ``steps`` is the length of the history, ``hidden`` the width of the state; ``center`` and ``spread`` have one value per
    column of a row. The other fields are those of :class:`ordinis_learn.models.network.ServedNetwork`.
    """

    steps: int = Field(ge=1)
    hidden: int = Field(ge=1)
    center: tuple[float, ...]
    spread: tuple[float, ...]
    clip: float = Field(gt=0.0, allow_inf_nan=False)
    unit: float = Field(gt=0.0, allow_inf_nan=False)
    min_edge_bps: float = Field(ge=0.0, allow_inf_nan=False)
    scale: float = Field(gt=0.0, allow_inf_nan=False)


class SequenceModel(WeightsBundle[ServedSequence], ReturnForecaster[ServedSequence]):
    """A regression of the unsigned forward return over ``horizon_sessions`` on the last ``steps`` feature vectors.

    A row that misses a part of its history is flat with confidence 0.

    Parameters
    ----------
    weights : dict of float32 arrays
        ``input`` (3H, F), ``state`` (3H, H), ``input_bias`` and ``state_bias`` (3H,), each for the reset gate, the update
        gate and the candidate, in that order; ``out`` (1, H), ``out_bias`` (1,).
    feature_names : tuple of str
        ``steps`` times F columns, the oldest step first.
    horizon_sessions : int
    parameters : ServedSequence
    """

    kind = "gru"
    declares = ServedSequence
    called = "sequence model"

    def _forecast(self, rows: Float2D) -> npt.NDArray[np.float64]:
        outputs: npt.NDArray[np.float64] = unit_outputs(rows, exact=self._exact, declared=self._parameters)
        return outputs[:, 0] * self._parameters.unit

    @staticmethod
    def _exactly(weights: NetworkWeights) -> dict[str, npt.NDArray[np.float64]]:
        return exact_unit(weights)

    @staticmethod
    def _misfit(weights: NetworkWeights, *, parameters: ServedSequence, columns: int) -> str:
        return unit_misfit(weights, declared=parameters, columns=columns, outputs=1)


def exact_unit(weights: NetworkWeights) -> dict[str, npt.NDArray[np.float64]]:
    """Return the weights in doubles, transposed."""
    return {name: array.astype(np.float64).T for name, array in weights.items()}


def unit_outputs(
    rows: Float2D, *, exact: dict[str, npt.NDArray[np.float64]], declared: DeclaredUnit
) -> Float2D:
    """Return the outputs of a gated recurrent unit for complete rows, shape (n, outputs)."""
    center, spread = np.array(declared.center), np.array(declared.spread)
    reach = declared.clip * spread
    # Clipped before it is divided: a feature of 1e307 is out of reach, not an overflow.
    history = ((np.clip(rows, center - reach, center + reach) - center) / spread).reshape(
        len(rows), declared.steps, len(declared.center) // declared.steps
    )
    state = np.zeros((len(rows), declared.hidden))
    for step in range(declared.steps):
        given = _product(history[:, step], exact["input"]) + exact["input_bias"]
        kept = _product(state, exact["state"]) + exact["state_bias"]
        reset, update, candidate = np.split(given, 3, axis=1)
        kept_reset, kept_update, kept_candidate = np.split(kept, 3, axis=1)
        gate = _logistic(update + kept_update)
        new = np.tanh(candidate + _logistic(reset + kept_reset) * kept_candidate)
        state = (1.0 - gate) * new + gate * state
    outputs: Float2D = _product(state, exact["out"]) + exact["out_bias"]
    return outputs


def _product(rows: Float2D, weight: Float2D) -> Float2D:
    """Multiply in one order of adding, whatever the number of rows; a BLAS product has another for one row."""
    product: Float2D = np.einsum("nf,fh->nh", rows, weight)
    return product


def _logistic(values: Float2D) -> Float2D:
    """Return 1 / (1 + exp(−x)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))


def unit_misfit(weights: NetworkWeights, *, declared: DeclaredUnit, columns: int, outputs: int) -> str:
    """Return how the weights differ from the declared architecture, empty where they do not."""
    width, rest = divmod(columns, declared.steps)
    if rest or len(declared.center) != columns or len(declared.spread) != columns:
        return (
            f"{columns} columns for {declared.steps} steps, "
            f"{len(declared.center)} centers and {len(declared.spread)} spreads"
        )
    if not all(np.isfinite([*declared.center, *declared.spread])) or min(declared.spread) <= 0.0:
        return "a center that is not finite, or a spread that is not positive"
    hidden = declared.hidden
    wanted: dict[str, tuple[int, ...]] = {
        "input": (3 * hidden, width),
        "state": (3 * hidden, hidden),
        "input_bias": (3 * hidden,),
        "state_bias": (3 * hidden,),
        "out": (outputs, hidden),
        "out_bias": (outputs,),
    }
    found = {name: array.shape for name, array in weights.items()}
    if found != wanted:
        return f"weights of shapes {found}, the header declares {wanted}"
    if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in weights.values()):
        return "a weight that is not a finite float32"
    return ""
