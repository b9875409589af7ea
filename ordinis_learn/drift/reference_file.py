"""Keep a reference in a file, so that drift is still measured when the rows it was trained on are pruned.

One safetensors file: arrays and one line of JSON, no code. The same reference gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ordinis_learn.drift.binning import Bins, Counts
from ordinis_learn.drift.column import ColumnReference
from ordinis_learn.drift.joint_sample import JointSample
from ordinis_learn.drift.reference import DriftReference
from ordinis_learn.drift.whole_file import read_header, read_whole, write_whole
from ordinis_learn.errors import DataCorrupt

__all__ = ["FORMAT", "load_reference", "save_reference"]

FORMAT: Final = "ordinis.drift_reference/1"
_HEADER: Final = "header"

Arrays = Mapping[str, npt.NDArray[Any]]


def save_reference(reference: DriftReference, path: Path) -> None:
    """Write the file whole.

    Raises
    ------
    StoreUnavailable
        It cannot be written.
    """
    content = save(_arrays(reference), metadata={_HEADER: json.dumps(_header(reference), sort_keys=True)})
    write_whole(path, content, asked=f"keep the drift reference {path}")


def load_reference(path: Path) -> DriftReference | None:
    """Read a reference; None where there is no such file.

    Raises
    ------
    DataCorrupt
        It is not such a file, or of another format.
    """
    content = read_whole(path, asked=f"read the drift reference {path}")
    if content is None:
        return None
    try:
        return _reference(load(content), header=read_header(content, wanted=FORMAT))
    except (SafetensorError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise DataCorrupt(
            f"read the drift reference {path}",
            found=f"{type(error).__name__}: {error}",
            next_step=f"remove {path}: the next check makes it again from the training rows",
        ) from error


def _header(reference: DriftReference) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "dataset_ref": reference.dataset_ref,
        "content_sha256": reference.content_sha256,
        "rows": reference.rows,
        "joint": list(reference.joint.names),
        "columns": [
            {"name": name, "scale": column.scale, "categorical": column.categorical}
            for name, column in reference.columns.items()
        ],
    }


def _arrays(reference: DriftReference) -> dict[str, npt.NDArray[Any]]:
    arrays: dict[str, npt.NDArray[Any]] = {
        "days": reference.days.astype(np.int64),
        "joint.bins": reference.joint.bins,
        "joint.session": reference.joint.session,
    }
    for name, column in reference.columns.items():
        counts = column.counts.by_session.astype(np.uint64)
        arrays[f"column.{name}.cuts"] = column.bins.cuts
        arrays[f"column.{name}.groups"] = column.group_starts
        arrays[f"column.{name}.locations"] = column.counts.locations
        arrays[f"column.{name}.counts"] = counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _reference(arrays: Arrays, *, header: Mapping[str, Any]) -> DriftReference:
    columns = {entry["name"]: _column(arrays, entry) for entry in header["columns"]}
    return DriftReference(
        dataset_ref=header["dataset_ref"],
        content_sha256=header["content_sha256"],
        days=arrays["days"].astype("datetime64[D]"),
        rows=header["rows"],
        columns=MappingProxyType(columns),
        joint=JointSample(
            names=tuple(header["joint"]), bins=arrays["joint.bins"], session=arrays["joint.session"]
        ),
    )


def _column(arrays: Arrays, entry: Mapping[str, Any]) -> ColumnReference:
    own = f"column.{entry['name']}"
    return ColumnReference(
        bins=Bins(cuts=arrays[f"{own}.cuts"]),
        group_starts=arrays[f"{own}.groups"],
        counts=Counts(
            by_session=arrays[f"{own}.counts"].astype(np.float64), locations=arrays[f"{own}.locations"]
        ),
        scale=float(entry["scale"]),
        categorical=bool(entry["categorical"]),
    )
