"""Keep what the queries of a training dataset were like in a file: vectors, no texts, no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ordinis_learn.drift.query_check import QueryVectors
from ordinis_learn.drift.whole_file import read_header, read_whole, write_whole
from ordinis_learn.errors import DataCorrupt

__all__ = ["load_query_reference", "save_query_reference"]

_FORMAT: Final = "ordinis.query_reference/1"


def save_query_reference(reference: QueryVectors, path: Path) -> None:
    """Write the file whole; StoreUnavailable where it cannot be written."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "days": reference.days.astype(np.int64),
        "vectors": np.ascontiguousarray(reference.vectors),
        "day": np.ascontiguousarray(reference.day),
    }
    header = json.dumps({"format": _FORMAT, "queries": reference.queries}, sort_keys=True)
    write_whole(path, save(arrays, metadata={"header": header}), asked=f"keep the reference {path}")


def load_query_reference(path: Path) -> QueryVectors | None:
    """Read a reference; None where there is no such file, DataCorrupt where it is something else."""
    content = read_whole(path, asked=f"read the reference {path}")
    if content is None:
        return None
    try:
        arrays, header = load(content), read_header(content, wanted=_FORMAT)
        return QueryVectors(
            days=arrays["days"].astype("datetime64[D]"),
            queries=int(header["queries"]),
            vectors=arrays["vectors"],
            day=arrays["day"],
        )
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataCorrupt(
            f"read the reference {path}",
            found=f"{type(error).__name__}: {error}",
            next_step=f"remove {path}: the next check makes it again from the training dataset",
        ) from error
