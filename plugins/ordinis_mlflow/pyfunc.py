"""What MLflow loads when it loads one of our models: ``loader_module: ordinis_mlflow.pyfunc``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.models import Model  # noqa: TID253  MLflow is what loads this module
from mlflow.models.model import MLMODEL_FILE_NAME  # noqa: TID253

from ordinis_learn.errors import ConfigInvalid, DataCorrupt
from ordinis_learn.models import (
    EMBED_FORMAT,
    EmbedModel,
    SignalModel,
    bundle_format,
    load_bundle,
    load_embedder,
)
from ordinis_learn.prompts import PACK_FILE, PromptPack, load_prompt_pack, render
from ordinis_learn.prompts.plain_values import unplain_value

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
        """Render each row's ``task`` with its ``variables`` (a JSON object of texts) to ``messages`` (a JSON array).

        Raises
        ------
        ConfigInvalid
            A column is missing, or a row's task or variables are none of the pack's; the message names the row.
        """
        del params
        missing = {"task", "variables"} - set(model_input.columns)
        if missing:
            raise ConfigInvalid(
                "render rows of a prompt pack",
                found=f"no column {', '.join(sorted(missing))}",
                next_step="give a frame of task and variables (a JSON object of texts)",
            )
        rows = zip(model_input.index, model_input["task"], model_input["variables"], strict=True)
        messages = [self._messages(str(label), task, variables) for label, task, variables in rows]
        return pd.DataFrame({"messages": messages}, index=model_input.index)

    def _messages(self, row: str, task: Any, variables: Any) -> str:
        try:
            turns = render(self._pack, str(task), _variables(variables))
            return json.dumps([turn.to_json() for turn in turns])
        except (ValueError, TypeError, RecursionError) as error:
            found = error.found if isinstance(error, ConfigInvalid) else f"{type(error).__name__}: {error}"
            raise ConfigInvalid(
                f"render row {row} of a prompt pack",
                found=found,
                next_step='give its task by name and its variables as a JSON object of texts, {"goal": "…"}',
            ) from error


def _variables(text: Any) -> dict[str, Any]:
    """Read a JSON object; a name given twice, or a list of pairs that Python would take for one, is none."""
    found = json.loads(text, object_pairs_hook=_each_once)
    if not isinstance(found, dict):
        raise TypeError(f"a JSON {type(found).__name__}, not an object")
    if fault := unplain_value(found):
        raise ValueError(fault)
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} is given twice")
    return dict(pairs)


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
    model = load_bundle(folder)
    _check_signature(folder, names=model.feature_names)
    return SignalModelFrame(model)


def _check_signature(bundle: Path, *, names: tuple[str, ...]) -> None:
    """Compare the signature beside a bundle with what the bundle takes.

    MLflow lays the bundle at ``data/NAME`` below the file that holds the signature, which it checks calls by: were they not of
    one mind, a column could be taken for another. A bundle without a model around it has no signature.

    Raises
    ------
    DataCorrupt
        They name other columns, or in another order.
    """
    described = bundle.parent.parent / MLMODEL_FILE_NAME
    if not described.is_file():
        return
    schema = Model.load(str(described)).get_input_schema()
    found = () if schema is None else tuple(schema.input_names())
    if found != names:
        raise DataCorrupt(
            f"load the signal model in {bundle}",
            found=f"a signature of {', '.join(map(str, found)) or 'no columns'}, where the bundle takes {', '.join(names)}",
            next_step="restore the folder from the run's artifacts, or train again with ordinis-learn train",
            folder=str(bundle),
        )
