"""A model asked in this process, where a test is not about the isolation."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ordinis_learn.models.base import SignalModel
from ordinis_learn.shadow.answer import Answer, Outcome

__all__ = ["InProcessModel"]


class InProcessModel:
    """What :class:`~ordinis_learn.shadow.isolated.IsolatedModel` promises, without its processes and its limit of time.

    A model that ends its process or never answers takes the test with it.

    Parameters
    ----------
    folder : Path
    load : callable
        Makes a model of the folder.
    """

    def __init__(self, folder: Path, *, load: Callable[[Path], SignalModel]) -> None:
        self._folder = folder
        self._load = load
        self._model: SignalModel | None = None
        self.feature_names: tuple[str, ...] = ()
        self.gave_up = False

    def start(self) -> None:
        """Load the model."""
        self._model = self._load(self._folder)
        self.feature_names = self._model.feature_names

    def ask(self, rows: npt.NDArray[np.float64]) -> Answer:
        """Return what the model says about rows of shape (n, F)."""
        model = self._model or self._load(self._folder)
        begun = time.perf_counter()
        try:
            said = model.predict(rows)
        except ValueError as error:
            told = f"{type(error).__name__}: {error}"
            return Answer.failed(len(rows), Outcome.ERROR, error=told, latency_us=_since(begun))
        answer = np.array([said.direction, said.confidence, said.expected_return], dtype=np.float64)
        return Answer.read(answer, latency_us=_since(begun))

    def forgive(self) -> None:
        """Do nothing; no silence is counted."""

    def close(self) -> None:
        """Do nothing; there is no process."""


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e6
