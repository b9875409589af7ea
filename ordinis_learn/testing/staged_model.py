"""A model whose misfortunes are in its rows, for tests of whoever has to live with a candidate."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.models.base import Predictions

__all__ = ["CUES", "STAGED_LOADER", "StagedModel", "load_staged"]

STAGED_LOADER: Final = "ordinis_learn.testing.staged_model:load_staged"

CUES: Final = {
    "answer": 0.0,
    "raise": 1.0,
    "nan": 2.0,
    "hang": 3.0,
    "die": 4.0,
    "nonsense": 5.0,
    "stall": 6.0,
}
"""What a value of the feature ``cue`` makes the model do."""

_FILE: Final = "staged.json"
_STALLED: Final = Path("stalled")
"""In the model's folder, which is its process's: who finds it has stalled once and answers."""


class StagedModel:
    """Follows (``sign`` 1) or fades (−1) the first of its features; the last one, ``cue``, makes it fail.

    Parameters
    ----------
    sign : int
    feature_names : tuple of str
    """

    kind = "staged"
    horizon_sessions = 5

    def __init__(
        self, *, sign: int = 1, feature_names: tuple[str, ...] = ("ret_20", "vol_20", "cue")
    ) -> None:
        self.sign = sign
        self.feature_names = feature_names

    def predict(self, features: npt.NDArray[np.float64]) -> Predictions:
        """Answer for an (n, F) matrix, or do what the first cue says that is not ``answer``."""
        cue = features[:, -1]
        if (cue == CUES["hang"]).any():
            time.sleep(3600)
        if (cue == CUES["stall"]).any() and not _STALLED.exists():
            _STALLED.touch()
            time.sleep(3600)
        if (cue == CUES["die"]).any():
            os._exit(3)
        if (cue == CUES["raise"]).any():
            raise ValueError("staged to raise")
        direction = self.sign * np.sign(features[:, 0])
        confidence = np.tanh(np.abs(features[:, 0]))
        return Predictions(
            direction=np.where(cue == CUES["nonsense"], 7, direction).astype(np.int8),
            confidence=np.where(cue == CUES["nan"], np.nan, confidence),
            expected_return=0.01 * features[:, 0],
        )

    def save(self, folder: Path) -> None:
        """Write the one file that :func:`load_staged` reads."""
        folder.mkdir(parents=True)
        text = json.dumps({"sign": self.sign, "feature_names": self.feature_names})
        (folder / _FILE).write_text(text, encoding="utf-8")


def load_staged(folder: Path) -> StagedModel:
    """Read what :meth:`StagedModel.save` wrote."""
    told = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    return StagedModel(sign=told["sign"], feature_names=tuple(told["feature_names"]))
