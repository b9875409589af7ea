"""Where the files of a shadow lie: ``<folder>/<model>/<version><suffix>``, and how predictions are written there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable

__all__ = ["shadow_file", "write_predictions"]


def shadow_file(folder: Path, *, name: str, version: str, suffix: str) -> Path:
    """Return the path of one file; a model outside the default workspace has its workspace's folder.

    Raises
    ------
    ConfigInvalid
        Name or version would lead out of the folder.

    Examples
    --------
    >>> shadow_file(Path("data/shadow"), name="sp500_signal", version="2", suffix=".db").as_posix()
    'data/shadow/sp500_signal/2.db'
    """
    folders = name.split("/", maxsplit=1)
    for part in (*folders, version):
        if part in {"", ".", ".."} or "/" in part or "\\" in part:
            raise ConfigInvalid(
                "name the file of shadow predictions",
                found=f"{part!r}",
                next_step="register under another name",
            )
    return folder.joinpath(*folders, f"{version}{suffix}")


def write_predictions(table: pa.Table, *, folder: Path, name: str, version: str) -> Path:
    """Write ``<version>.parquet`` beside the target, then rename: a reader sees the old file or the new one, whole."""
    path = shadow_file(folder, name=name, version=version, suffix=".parquet")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as scratch:
            fresh = Path(scratch) / path.name
            pq.write_table(table, fresh)
            with fresh.open("rb") as stream:
                os.fsync(stream.fileno())
            fresh.replace(path)
    except OSError as error:
        raise StoreUnavailable(
            f"write the shadow predictions of {name} {version}",
            found=f"{path}: {error.strerror or error}",
            next_step=f"make {folder} writable, then run the shadow again",
        ) from error
    return path
