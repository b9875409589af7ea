"""What MLflow loads when it loads one of our models: ``loader_module: ordinis_mlflow.pyfunc``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ordinis_learn.models import (
    EMBED_FORMAT,
    EmbedModel,
    SignalModel,
    bundle_format,
    load_bundle,
    load_embedder,
)
from ordinis_learn.prompts import PACK_FILE, PromptPack, load_prompt_pack, render

__all__ = ["EmbedModelFrame", "PromptPackFrame", "SignalModelFrame"]


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


class PromptPackFrame:
    """A prompt pack that reads and writes data frames.

    Parameters
    ----------
    pack : PromptPack
    """

    def __init__(self, pack: PromptPack) -> None:
        self._pack = pack

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Render each row's ``task`` with its ``variables`` (a JSON object of texts) to ``messages`` (a JSON array)."""
        del params
        messages = [
            json.dumps([turn.to_json() for turn in render(self._pack, task, json.loads(variables))])
            for task, variables in zip(model_input["task"], model_input["variables"], strict=True)
        ]
        return pd.DataFrame({"messages": messages}, index=model_input.index)


class EmbedModelFrame:
    """An embedding model that reads a data frame and answers with an array.

    Parameters
    ----------
    model : EmbedModel
    """

    def __init__(self, model: EmbedModel) -> None:
        self._model = model

    def predict(
        self, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> npt.NDArray[np.float64]:
        """Answer with a row of length 1 per ``text``, shape (n, d); zeros for a text without a known word."""
        del params
        return self._model.encode([str(text) for text in model_input["text"]])


def _load_pyfunc(data_path: str) -> SignalModelFrame | PromptPackFrame | EmbedModelFrame:
    """Load a bundle of any kind, by its file or the format that it names; the name and signature are MLflow's."""
    folder = Path(data_path)
    if (folder / PACK_FILE).is_file():
        return PromptPackFrame(load_prompt_pack(folder))
    if bundle_format(folder) == EMBED_FORMAT:
        return EmbedModelFrame(load_embedder(folder))
    return SignalModelFrame(load_bundle(folder))
