"""Our dataset manifest as an MLflow dataset input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: TID253  a leaf of the plugin
from mlflow.types import ColSpec, DataType, Schema  # noqa: TID253

from ordinis_learn.records import DatasetManifest
from ordinis_mlflow.dataset_source import SOURCE_TYPE, OrdinisDatasetSource

__all__ = ["DIGEST_LENGTH", "dataset_input"]

DIGEST_LENGTH: Final = 36
"""What MLflow's column holds; the whole hash is in the profile and in a tag."""

_TYPES: Final = {
    "bool": DataType.boolean,
    "double": DataType.double,
    "float": DataType.float,
    "int8": DataType.integer,
    "int16": DataType.integer,
    "int32": DataType.integer,
    "int64": DataType.long,
}


def dataset_input(manifest: DatasetManifest, *, folder: Path) -> DatasetInput:
    """Return the input with our digest, the columns as schema, and a source that resolves to the manifest.

    MLflow's own digest reads the first 10,000 rows only and drops time stamps; ours covers every value.
    """
    profile = {
        "num_rows": manifest.rows,
        "content_sha256": manifest.content_sha256,
        "dataset_ref": manifest.ref,
        "window": f"{manifest.window.start}..{manifest.window.end}",
    }
    dataset = Dataset(
        name=manifest.dataset_id,
        digest=manifest.content_sha256[:DIGEST_LENGTH],
        source_type=SOURCE_TYPE,
        source=OrdinisDatasetSource(
            manifest.ref, content_sha256=manifest.content_sha256, folder=str(folder.absolute())
        ).to_json(),
        schema=json.dumps({"mlflow_colspec": _schema(manifest.columns).to_dict()}),
        profile=json.dumps(profile),
    )
    tags = {
        "mlflow.data.context": "training",
        "ordinis.dataset": manifest.ref,
        "ordinis.content_sha256": manifest.content_sha256,
    }
    return DatasetInput(dataset, [InputTag(key, value) for key, value in tags.items()])


def _schema(columns: dict[str, str]) -> Schema:
    return Schema([ColSpec(_column_type(type_name), name) for name, type_name in columns.items()])


def _column_type(arrow_type: str) -> Any:
    if arrow_type.startswith(("timestamp", "date")):
        return DataType.datetime
    return _TYPES.get(arrow_type, DataType.string)
