"""The header of a bundle: ``model.json``, the file that says what the folder is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self, TypeVar

from pydantic import Field, ValidationError, field_validator

from ordinis_learn.errors import ArtifactMissing, DataCorrupt, StoreUnavailable
from ordinis_learn.records import Record, Sha256

__all__ = [
    "BUNDLE_FORMAT",
    "HEADER_FILE",
    "BundleHeader",
    "Header",
    "bundle_format",
    "read_header",
    "read_header_as",
    "write_bundle",
]

BUNDLE_FORMAT: Final = "ordinis.signal_model/1"
HEADER_FILE: Final = "model.json"

_REBUILD: Final = "restore the folder from the run's artifacts, or train again with ordinis-learn train"


class Header(Protocol):
    """What the headers of all formats share."""

    @property
    def kind(self) -> str:
        """Return a name in a fixed table of the format."""
        ...

    @property
    def files(self) -> Mapping[str, str]:
        """Return the SHA-256 of the files beside the header."""
        ...

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return the header with other fields."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        ...


H = TypeVar("H", bound=Record)


class BundleHeader(Record):
    """What ``model.json`` holds. ``kind`` is a name in a fixed table, never an import path.

    ``files`` are the SHA-256 of the files beside it. They are checked before anything parses them: xgboost
    ends the whole process on bytes that are not its own.
    """

    format: Literal["ordinis.signal_model/1"] = BUNDLE_FORMAT
    kind: str
    feature_names: tuple[str, ...] = Field(min_length=1)
    horizon_sessions: int = Field(ge=1)
    parameters: dict[str, Any]
    files: dict[str, Sha256] = Field(default_factory=dict)

    @field_validator("feature_names")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) != len(names):
            raise ValueError(f"feature names repeat: {names}")
        return names


def read_header(folder: Path) -> BundleHeader:
    """Read and check the header of a signal model's bundle; the errors are those of :func:`read_header_as`."""
    return read_header_as(
        BundleHeader, folder, asked=f"load the signal model in {folder}", reads=BUNDLE_FORMAT
    )


def read_header_as(kind: type[H], folder: Path, *, asked: str, reads: str) -> H:
    """Read and check a bundle's header.

    Raises
    ------
    ArtifactMissing
        The folder or its ``model.json`` is not there.
    DataCorrupt
        The file is not JSON, or not of this format.
    """
    try:
        return kind.model_validate_json(_header_bytes(folder, asked=asked))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or HEADER_FILE
        found = f"{field}: {first['msg']} (this release reads {reads})"
        raise DataCorrupt(asked, found=found, next_step=_REBUILD, folder=str(folder)) from error


def bundle_format(folder: Path) -> str:
    """Return the format that a bundle's header names, empty where it names none.

    Raises
    ------
    ArtifactMissing
        The folder or its ``model.json`` is not there.
    """
    try:
        header = json.loads(_header_bytes(folder, asked=f"load the model in {folder}"))
    except ValueError:
        return ""
    return str(header.get("format", "")) if isinstance(header, dict) else ""


def _header_bytes(folder: Path, *, asked: str) -> bytes:
    path = folder / HEADER_FILE
    if not path.is_file():
        found = f"no {HEADER_FILE} in it" if folder.is_dir() else "no such folder"
        raise ArtifactMissing(asked, found=found, next_step=_REBUILD, folder=str(folder))
    try:
        return path.read_bytes()
    except OSError as error:
        found = f"{type(error).__name__}: {error.strerror}"
        raise StoreUnavailable(asked, found=found, next_step=f"make {path} readable") from error


def write_bundle(folder: Path, header: Header, *, files: Mapping[str, bytes]) -> None:
    """Write header and files into a folder that must not exist yet.

    The header is written last: a folder without one is no bundle, so a crash in between leaves nothing
    that loads. Its ``files`` are filled in here.
    """
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    header = header.model_copy(update={"files": hashes})
    text = json.dumps(header.to_json(), indent=2, sort_keys=True, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / HEADER_FILE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreUnavailable(
            f"save a {header.kind} model into {folder}",
            found=f"{type(error).__name__}: {error.strerror}",
            next_step="give a new folder below one that you can write",
        ) from error
