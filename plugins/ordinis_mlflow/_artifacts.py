"""The bytes of a registered version: where they lie, and their digest."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml
from mlflow import MlflowClient  # noqa: TID253  a leaf, loaded by name
from mlflow.artifacts import download_artifacts  # noqa: TID253
from mlflow.entities import LoggedModel, Run  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository  # noqa: TID253
from mlflow.utils.file_utils import local_file_uri_to_path  # noqa: TID253

from ordinis_learn.errors import ArtifactMissing, DataCorrupt
from ordinis_learn.records import tree_sha256
from ordinis_mlflow._workspaces import in_workspace_of, scoped_path

__all__ = ["DESTINATION", "SERVING", "ArtifactReader", "bundle_of", "logged_model_id"]

# As in mlflow.server.constants, which would import the whole server; a test compares them.
DESTINATION: Final = "_MLFLOW_SERVER_ARTIFACT_DESTINATION"
SERVING: Final = "_MLFLOW_SERVER_SERVE_ARTIFACTS"


class ArtifactReader:
    """Reads model folders behind MLflow's addresses.

    Parameters
    ----------
    tracking_uri : str, optional
        Where runs and logged models are looked up; default is MLflow's current one.
    """

    def __init__(self, tracking_uri: str | None = None) -> None:
        self._tracking_uri = tracking_uri

    def logged_model(self, model_id: str) -> LoggedModel:
        """Return a logged model; MLflow's error where there is none."""
        return MlflowClient(tracking_uri=self._tracking_uri).get_logged_model(model_id)

    def run(self, run_id: str) -> Run:
        """Return a tracking run; MLflow's error where there is none."""
        return MlflowClient(tracking_uri=self._tracking_uri).get_run(run_id)

    def digest(self, uri: str) -> str | None:
        """Return the digest of the model folder at an address, None where it cannot be read or does not say everything.

        A folder elsewhere is downloaded to a temporary place first. A digest says nothing of a model that lies, by a link or by its
        description, outside of its folder.
        """
        try:
            near = self.local_folder(uri)
            if near is not None and near.is_dir():
                return _digest(near)
            with self._fetched(uri) as folder:
                return _digest(folder)
        except Exception:  # noqa: BLE001  the client of a foreign store raises what it likes; unread bytes close the gate
            return None

    def local_digest(self, uri: str) -> str | None:
        """Return the digest of the model folder at an address that needs no download, else None."""
        try:
            folder = self.local_folder(uri)
            return None if folder is None else _digest(folder)
        except (MlflowException, OSError, ValueError, yaml.YAMLError):
            return None

    def local_folder(self, uri: str) -> Path | None:
        """Return the folder behind a local address, None for one elsewhere.

        A server that proxies artifacts knows where ``mlflow-artifacts:`` lies; such an address never
        leads out of that place, nor into another workspace's part of it.
        """
        if uri.startswith("runs:/"):
            uri = RunsArtifactRepository.get_underlying_uri(uri, self._tracking_uri)
        parts = urlsplit(uri)
        if parts.scheme in {"", "file"}:
            return Path(local_file_uri_to_path(uri))
        destination = os.environ.get(DESTINATION, "")
        serving = os.environ.get(SERVING) == "true" and urlsplit(destination).scheme in {"", "file"}
        if parts.scheme != "mlflow-artifacts" or not serving:
            return None
        root = Path(local_file_uri_to_path(destination)).resolve()
        folder = (root / unquote(parts.path).lstrip("/")).resolve()
        if not folder.is_relative_to(root):
            return None
        scoped = scoped_path(folder.relative_to(root).parts)
        return None if scoped is None else root.joinpath(*scoped)

    def digest_of(self, subject: str, uri: str) -> str | None:
        """Return the digest at an address, read as the workspace of the model reads it."""
        with in_workspace_of(subject):
            return self.digest(uri)

    def folder_of(self, subject: str, uri: str) -> Path | None:
        """Return the local folder behind an address, read as the workspace of the model reads it."""
        with in_workspace_of(subject):
            return self.local_folder(uri)

    def fetch(self, uri: str, *, into: Path) -> Path:
        """Return a local folder with what lies at an address, downloaded below ``into`` if it must be."""
        folder = self.local_folder(uri)
        if folder is not None and folder.is_dir():
            return folder
        return Path(download_artifacts(artifact_uri=uri, dst_path=str(into), tracking_uri=self._tracking_uri))

    @contextmanager
    def _fetched(self, uri: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="ordinis-verify-") as scratch:
            yield self.fetch(uri, into=Path(scratch))


def logged_model_id(uri: str) -> str | None:
    """Return the id in an address of a logged model, None for any other address.

    Examples
    --------
    >>> logged_model_id("models:/m-1f2e"), logged_model_id("models:/signal/3")
    ('m-1f2e', None)
    """
    if not uri.startswith("models:/m-"):
        return None
    name, _, rest = uri.removeprefix("models:/").partition("/")
    return None if rest else name


def bundle_of(folder: Path, *, name: str, version: str) -> Path:
    """Return the folder that the pyfunc flavour keeps its data in; DataCorrupt where that lies elsewhere."""
    try:
        described: Any = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        bundle = folder / str(described["flavors"]["python_function"]["data"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ArtifactMissing(
            f"open the model {name} {version}",
            found=f"{folder} holds no MLflow model with a bundle of ours ({type(error).__name__})",
            next_step="register a model that ordinis-learn has trained",
        ) from error
    if outside := _leads_outside(folder):
        raise DataCorrupt(
            f"open the model {name} {version}",
            found=f"{outside} leads out of {folder}, where no digest reaches",
            next_step="register a model that ordinis-learn has trained",
        )
    return bundle


def _leads_outside(folder: Path) -> str:
    """Return what in a model folder leads to bytes that its digest does not see, empty where nothing does.

    The digest follows a link to a file, and not one to a folder. MLflow joins what a flavour calls its data and its code to the
    folder, and an absolute path, or one with dots, wins.
    """
    links = (path for path in folder.rglob("*") if path.is_symlink() and path.is_dir())
    if link := next(links, None):
        return f"the link {link.relative_to(folder).as_posix()}"
    path = folder / "MLmodel"
    described: Any = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    flavours = described.get("flavors") if isinstance(described, dict) else None
    for flavour, told in flavours.items() if isinstance(flavours, dict) else ():
        for part in ("data", "code"):
            named = told.get(part) if isinstance(told, dict) else None
            if named is not None and not _is_below(folder, str(named)):
                return f"the {part} of the flavour {flavour}, {named},"
    return ""


def _is_below(folder: Path, named: str) -> bool:
    inside = Path(os.path.normpath(folder / named))
    return inside.is_relative_to(os.path.normpath(folder))


def _digest(folder: Path) -> str | None:
    # No file at all also has a tree hash; nothing must not pass for something.
    if not folder.is_dir() or not any(path.is_file() for path in folder.rglob("*")):
        return None
    if _leads_outside(folder):
        return None
    return tree_sha256(folder)
