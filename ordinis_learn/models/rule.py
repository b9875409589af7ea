"""The strategy pack's own rule, wrapped as a model: declared parameters, nothing fitted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.market.rules import RuleParameters, rule_signals
from ordinis_learn.models.base import Predictions
from ordinis_learn.models.header import BundleHeader, write_bundle
from ordinis_learn.models.rows import checked_rows

__all__ = ["RuleModel"]


class RuleModel:
    """A rule behind the interface of a signal model.

    It says which way and how sure, not how far: ``expected_return`` is NaN in every row. Train an
    ``xgboost`` model where a forecast of the size is needed.

    Parameters
    ----------
    feature_names : tuple of str
        Columns of the matrix given to :meth:`predict`.
    horizon_sessions : int
        How long a signal is meant to be held.
    parameters : RuleParameters
        Declared, never fitted.

    Raises
    ------
    ConfigInvalid
        A feature that the rule reads is not among ``feature_names``.
    """

    kind = "rule"

    def __init__(
        self, *, feature_names: tuple[str, ...], horizon_sessions: int, parameters: RuleParameters
    ) -> None:
        try:
            rule_signals(np.empty((0, len(feature_names))), names=feature_names, parameters=parameters)
        except KeyError as error:
            raise ConfigInvalid(
                "build a rule model",
                found=f"no feature {error} among {', '.join(feature_names)}",
                next_step="give the names of ordinis_learn.market.FEATURE_NAMES",
            ) from error
        self._feature_names = feature_names
        self._horizon_sessions = horizon_sessions
        self._parameters = parameters

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the columns of ``predict``'s argument, in order."""
        return self._feature_names

    @property
    def horizon_sessions(self) -> int:
        """Return how long a signal is meant to be held."""
        return self._horizon_sessions

    @property
    def parameters(self) -> RuleParameters:
        """Return the declared parameters."""
        return self._parameters

    def predict(self, features: npt.NDArray[np.float64]) -> Predictions:
        """Answer for an (n, F) matrix; a row with a non-finite feature is flat with confidence 0."""
        rows, _ = checked_rows(features, names=self._feature_names)
        direction, confidence = rule_signals(rows, names=self._feature_names, parameters=self._parameters)
        return Predictions(
            direction=direction, confidence=confidence, expected_return=np.full(len(rows), np.nan)
        )

    def save(self, folder: Path) -> None:
        """Write ``model.json`` into a new folder."""
        write_bundle(folder, self._header(), files={})

    def _header(self) -> BundleHeader:
        return BundleHeader(
            kind=self.kind,
            feature_names=self._feature_names,
            horizon_sessions=self._horizon_sessions,
            parameters=self._parameters.to_json(),
        )

    @classmethod
    def from_header(cls, header: BundleHeader) -> RuleModel:
        """Build the model that a bundle's header describes."""
        parameters: Mapping[str, Any] = header.parameters
        return cls(
            feature_names=header.feature_names,
            horizon_sessions=header.horizon_sessions,
            parameters=RuleParameters.model_validate(parameters),
        )
