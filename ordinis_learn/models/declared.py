"""What every fitted model says of itself, whatever it forecasts."""

from __future__ import annotations

from abc import ABC
from typing import Generic, TypeVar

__all__ = ["DeclaredModel"]

P = TypeVar("P")


class DeclaredModel(ABC, Generic[P]):
    """A model with the features it reads, its horizon, and what its header declares.

    Parameters
    ----------
    feature_names : tuple of str
    horizon_sessions : int
    parameters
        What the header declares.
    """

    def __init__(self, *, feature_names: tuple[str, ...], horizon_sessions: int, parameters: P) -> None:
        self._feature_names = feature_names
        self._horizon_sessions = horizon_sessions
        self._parameters = parameters

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Return the columns of ``predict``'s argument, in order."""
        return self._feature_names

    @property
    def horizon_sessions(self) -> int:
        """Return the horizon of the forecast."""
        return self._horizon_sessions

    @property
    def parameters(self) -> P:
        """Return what the header declares."""
        return self._parameters
