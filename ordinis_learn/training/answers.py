"""How a fitted model's outputs become a signal, learnt from what the folds said of rows they had not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ordinis_learn.models import SignalModel
from ordinis_learn.models.class_forecaster import ClassParameters, calibrated_probabilities
from ordinis_learn.models.network import NetworkWeights
from ordinis_learn.training.class_calibration import fit_sharpness, log_loss
from ordinis_learn.training.config import NetworkParameters, SequenceParameters, TrainConfig
from ordinis_learn.training.folds import FoldFit, confidence_scale
from ordinis_learn.training.heads import ClassHead, head_of
from ordinis_learn.training.matrix import TrainingMatrix

__all__ = ["Answer", "ClassAnswer", "NetworkFrame", "ReturnAnswer", "read_answers"]

Float1D = npt.NDArray[np.float64]


class NetworkFrame(Protocol):
    """How features reached a network, and in what unit it answers."""

    @property
    def center(self) -> Float1D:
        """The mean of each feature."""
        ...

    @property
    def spread(self) -> Float1D:
        """Its deviation."""
        ...

    @property
    def clip(self) -> float:
        """At how many spreads a feature is cut."""
        ...

    @property
    def unit(self) -> float:
        """The deviation of the return."""
        ...


class Answer(Protocol):
    """What is put behind a fitted model."""

    @property
    def metrics(self) -> dict[str, float]:
        """Return what learning it has shown."""
        ...

    def trees(self, booster: Any) -> SignalModel:
        """Return boosted trees as a model."""
        ...

    def network(
        self,
        weights: NetworkWeights,
        *,
        frame: NetworkFrame,
        parameters: NetworkParameters | SequenceParameters,
    ) -> SignalModel:
        """Return a network as a model."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Named:
    feature_names: tuple[str, ...]
    horizon_sessions: int


@dataclass(frozen=True, kw_only=True)
class ReturnAnswer(_Named):
    """A forecast of the return; ``scale`` is the size of forecast that earns full confidence."""

    min_edge_bps: float
    scale: float
    metrics: dict[str, float]

    def trees(self, booster: Any) -> SignalModel:
        """Return boosted trees as a model."""
        from ordinis_learn.models._xgboost import XGBoostParameters, XGBoostSignalModel  # noqa: PLC0415  heavy

        return XGBoostSignalModel(
            booster,
            feature_names=self.feature_names,
            horizon_sessions=self.horizon_sessions,
            parameters=XGBoostParameters(min_edge_bps=self.min_edge_bps, scale=self.scale),
        )

    def network(
        self,
        weights: NetworkWeights,
        *,
        frame: NetworkFrame,
        parameters: NetworkParameters | SequenceParameters,
    ) -> SignalModel:
        """Return a network as a model."""
        from ordinis_learn.models.network import NetworkModel, ServedNetwork  # noqa: PLC0415  not every desk has one
        from ordinis_learn.models.sequence import SequenceModel, ServedSequence  # noqa: PLC0415

        own = {"unit": frame.unit, "min_edge_bps": self.min_edge_bps, "scale": self.scale}
        shared: dict[str, Any] = _standardised(frame) | own
        named = _names(self)
        if isinstance(parameters, SequenceParameters):
            served = ServedSequence(steps=parameters.steps, hidden=parameters.hidden, **shared)
            return SequenceModel(weights, parameters=served, **named)
        return NetworkModel(weights, parameters=ServedNetwork(hidden=parameters.hidden, **shared), **named)


@dataclass(frozen=True, kw_only=True)
class ClassAnswer(_Named):
    """Calibrated class probabilities."""

    reading: ClassParameters
    metrics: dict[str, float]

    def trees(self, booster: Any) -> SignalModel:
        """Return boosted trees as a model."""
        from ordinis_learn.models._xgboost_classes import XGBoostClassModel  # noqa: PLC0415  heavy

        return XGBoostClassModel(
            booster,
            feature_names=self.feature_names,
            horizon_sessions=self.horizon_sessions,
            parameters=self.reading,
        )

    def network(
        self,
        weights: NetworkWeights,
        *,
        frame: NetworkFrame,
        parameters: NetworkParameters | SequenceParameters,
    ) -> SignalModel:
        """Return a network as a model."""
        from ordinis_learn.models.class_networks import (  # noqa: PLC0415  not every desk has one
            NetworkClassModel,
            SequenceClassModel,
            ServedClassNetwork,
            ServedClassSequence,
        )

        shared: dict[str, Any] = _standardised(frame) | self.reading.model_dump()
        named = _names(self)
        if isinstance(parameters, SequenceParameters):
            served = ServedClassSequence(steps=parameters.steps, hidden=parameters.hidden, **shared)
            return SequenceClassModel(weights, parameters=served, **named)
        return NetworkClassModel(
            weights, parameters=ServedClassNetwork(hidden=parameters.hidden, **shared), **named
        )


def read_answers(
    config: TrainConfig,
    *,
    matrix: TrainingMatrix,
    folds: Sequence[FoldFit],
    sample: Callable[[], Float1D],
) -> Answer:
    """Learn how outputs are read.

    Parameters
    ----------
    config : TrainConfig
    matrix : TrainingMatrix
    folds : sequence of FoldFit
        Without any, class scores are taken as they are: nothing says how far to believe them.
    sample : callable
        Gives in-sample forecasts of the return, for the scale where there are no folds.
    """
    named: dict[str, Any] = {
        "feature_names": matrix.feature_names,
        "horizon_sessions": config.horizon_sessions,
    }
    head = head_of(config)
    if isinstance(head, ClassHead):
        return _class_answer(config, head=head, matrix=matrix, folds=folds, named=named)
    seen = [fold.forecast for fold in folds] or [sample()]
    return ReturnAnswer(
        min_edge_bps=config.min_edge_bps, scale=confidence_scale(np.concatenate(seen)), metrics={}, **named
    )


def _class_answer(
    config: TrainConfig,
    *,
    head: ClassHead,
    matrix: TrainingMatrix,
    folds: Sequence[FoldFit],
    named: dict[str, Any],
) -> ClassAnswer:
    learnt = head.learn(matrix.target, weight=matrix.weight).classes
    held_out = [fold.held_out for fold in folds if fold.held_out is not None]
    sharpness = fit_sharpness(held_out)
    metrics = {"calibration_sharpness": sharpness} if held_out else {}
    if held_out:
        losses = [
            log_loss(
                np.log(calibrated_probabilities(fold.scores, shares=fold.shares, sharpness=sharpness)),
                label=fold.label,
                weight=fold.weight,
            )
            for fold in held_out
        ]
        metrics[f"mean_calibrated_{head.measure}"] = float(np.mean(losses))
    reading = ClassParameters(
        classes=head.classes,
        shares=tuple(learnt.shares.tolist()),
        mean_returns=tuple(learnt.mean_returns.tolist()),
        sharpness=sharpness,
        min_edge_bps=config.min_edge_bps,
    )
    return ClassAnswer(reading=reading, metrics=metrics, **named)


def _standardised(frame: NetworkFrame) -> dict[str, Any]:
    return {
        "center": tuple(frame.center.tolist()),
        "spread": tuple(frame.spread.tolist()),
        "clip": frame.clip,
    }


def _names(answer: _Named) -> dict[str, Any]:
    return {"feature_names": answer.feature_names, "horizon_sessions": answer.horizon_sessions}
