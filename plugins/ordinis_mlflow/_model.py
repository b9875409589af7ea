"""A model bundle as an MLflow model: the pyfunc flavour with our loader, and no pickle anywhere."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from mlflow import MlflowClient  # noqa: TID253  a leaf of the plugin
from mlflow.entities import LoggedModel, LoggedModelOutput  # noqa: TID253
from mlflow.models import Model, ModelSignature  # noqa: TID253
from mlflow.types import ColSpec, DataType, Schema, TensorSpec  # noqa: TID253

with warnings.catch_warnings():
    # On import it warns about a type hint of its own.
    warnings.simplefilter("ignore", UserWarning)
    import mlflow.pyfunc

from ordinis_learn.ports import ModelExample

__all__ = ["LOADER_MODULE", "log_bundle"]

LOADER_MODULE: Final = "ordinis_mlflow.pyfunc"


def log_bundle(
    client: MlflowClient,
    bundle: Path,
    *,
    name: str,
    feature_names: Sequence[str],
    model_type: str,
    example: ModelExample | None,
    run_id: str,
    experiment_id: str,
) -> LoggedModel:
    """Store a bundle as a logged model that belongs to a run; mark it FAILED if that breaks off.

    The requirement is this package and nothing else: inferring requirements would load the model in a
    subprocess, and the package already depends on what its models need.
    """
    model = client.create_logged_model(experiment_id, name=name, source_run_id=run_id, model_type=model_type)
    status = "FAILED"
    try:
        with tempfile.TemporaryDirectory(prefix="ordinis-model-") as folder:
            _write(
                Path(folder) / "model",
                bundle,
                model=model,
                run_id=run_id,
                signature=_SIGNATURES[model_type](feature_names),
                example=example,
            )
            client.log_model_artifacts(model.model_id, str(Path(folder) / "model"))
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        status = "READY"
    finally:
        model = client.finalize_logged_model(model.model_id, status)
    return model


def _write(
    folder: Path,
    bundle: Path,
    *,
    model: LoggedModel,
    run_id: str,
    signature: ModelSignature,
    example: ModelExample | None,
) -> None:
    described = Model(
        artifact_path=model.artifact_location,
        run_id=run_id,
        model_uuid=model.model_id,
        model_id=model.model_id,
        signature=signature,
    )
    with warnings.catch_warnings():
        # MLflow compares the columns of an example with a range, which pandas will read otherwise some day.
        warnings.simplefilter("ignore", DeprecationWarning)
        mlflow.pyfunc.save_model(
            path=str(folder),
            loader_module=LOADER_MODULE,
            data_path=str(bundle),
            mlflow_model=described,
            input_example=None if example is None else pd.DataFrame(dict(example)),
            pip_requirements=[f"ordinis-learn=={metadata.version('ordinis-learn')}"],
        )


def _signal_signature(feature_names: Sequence[str]) -> ModelSignature:
    answer = {
        "direction": DataType.integer,
        "confidence": DataType.double,
        "expected_return": DataType.double,
    }
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.double, name) for name in feature_names]),
        outputs=Schema([ColSpec(kind, name) for name, kind in answer.items()]),
    )


def _prompt_signature(_feature_names: Sequence[str]) -> ModelSignature:
    """Describe a task with its variables (a JSON object of texts), and the messages (a JSON array)."""
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, name) for name in ("task", "variables")]),
        outputs=Schema([ColSpec(DataType.string, "messages")]),
    )


def _embed_signature(_feature_names: Sequence[str]) -> ModelSignature:
    """Describe a text, and its vector."""
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text")]),
        outputs=Schema([TensorSpec(np.dtype("float64"), (-1, -1))]),
    )


_SIGNATURES: Final[Mapping[str, Callable[[Sequence[str]], ModelSignature]]] = {
    "signal_model": _signal_signature,
    "prompt_pack": _prompt_signature,
    "embed_model": _embed_signature,
}
