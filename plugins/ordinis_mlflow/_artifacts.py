"""The bytes of a registered version: where they lie, and their digest."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow.artifacts import download_artifacts  # noqa: TID253  a leaf, loaded by name
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.server.constants import (  # noqa: TID253
    ARTIFACTS_DESTINATION_ENV_VAR,
    SERVE_ARTIFACTS_ENV_VAR,
)
from mlflow.utils.file_utils import local_file_uri_to_path  # noqa: TID253

from ordinis_learn.records import tree_sha256

__all__ = ["digest_at", "local_digest_at", "local_folder"]


def digest_at(uri: str) -> str | None:
    """Return the digest of the model folder at an address, None where it cannot be read.

    A folder elsewhere is downloaded to a temporary place first.
    """
    try:
        with _fetched(uri) as folder:
            return _digest(folder)
    except (MlflowException, OSError, ValueError):
        return None


def local_digest_at(uri: str) -> str | None:
    """Return the digest of the model folder at an address that needs no download, else None."""
    folder = local_folder(uri)
    try:
        return None if folder is None else _digest(folder)
    except OSError:
        return None


def local_folder(uri: str) -> Path | None:
    """Return the folder behind a local address, None for one elsewhere.

    A server that proxies artifacts knows where ``mlflow-artifacts:`` lies; such an address never leads
    out of that place.
    """
    parts = urlsplit(uri)
    if parts.scheme in {"", "file"}:
        return Path(local_file_uri_to_path(uri))
    serving = os.environ.get(SERVE_ARTIFACTS_ENV_VAR) == "true"
    if parts.scheme != "mlflow-artifacts" or not serving:
        return None
    destination = os.environ.get(ARTIFACTS_DESTINATION_ENV_VAR, "")
    if urlsplit(destination).scheme not in {"", "file"}:
        return None
    root = Path(local_file_uri_to_path(destination)).resolve()
    folder = (root / unquote(parts.path).lstrip("/")).resolve()
    return folder if folder.is_relative_to(root) else None


@contextmanager
def _fetched(uri: str) -> Iterator[Path]:
    folder = local_folder(uri)
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="ordinis-verify-") as scratch:
        yield Path(download_artifacts(artifact_uri=uri, dst_path=scratch))


def _digest(folder: Path) -> str | None:
    # No file at all also has a tree hash; nothing must not pass for something.
    if not folder.is_dir() or not any(path.is_file() for path in folder.rglob("*")):
        return None
    return tree_sha256(folder)
