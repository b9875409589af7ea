"""What MLflow loads when it loads one of our models: ``loader_module: ordinis_mlflow.pyfunc``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ordinis_learn.models import SignalModel, load_bundle

__all__ = ["SignalModelFrame"]


class SignalModelFrame:
    """A signal model that reads and writes data frames.

    Parameters
    ----------
    model : SignalModel
    """

    def __init__(self, model: SignalModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer with ``direction`` (int32), ``confidence`` and ``expected_return``, on the input's index.

        Columns are taken by name; others are ignored, as MLflow's signature check does.
        """
        del params
        rows = model_input[list(self._model.feature_names)].to_numpy(dtype=np.float64)
        answer = self._model.predict(rows)
        return pd.DataFrame(
            {
                "direction": answer.direction.astype(np.int32),
                "confidence": answer.confidence,
                "expected_return": answer.expected_return,
            },
            index=model_input.index,
        )


def _load_pyfunc(data_path: str) -> SignalModelFrame:
    """Load a bundle; the name and signature are MLflow's."""
    return SignalModelFrame(load_bundle(Path(data_path)))
