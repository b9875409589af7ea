"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ordinis_learn.errors import StoreUnavailable

__all__ = ["read_header", "read_whole", "write_whole"]


def write_whole(path: Path, content: bytes, *, asked: str) -> None:
    """Write a file beside its place, sync and rename it: a reader sees the old one or the new one, whole.

    Raises
    ------
    StoreUnavailable
        It cannot be written; what was there before is still there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".writing-", delete=False) as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(stream.name).replace(path)
    except OSError as error:
        raise StoreUnavailable(
            asked,
            found=f"{type(error).__name__}: {error.strerror}",
            next_step=f"make {path.parent} writable, with room for {len(content)} bytes",
        ) from error


def read_whole(path: Path, *, asked: str) -> bytes | None:
    """Read a file; None where there is none.

    Raises
    ------
    StoreUnavailable
        It is there and cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(
            asked, found=f"{type(error).__name__}: {error.strerror}", next_step=f"make {path} readable"
        ) from error


def read_header(content: bytes, *, wanted: str) -> dict[str, Any]:
    """Return the JSON text that a safetensors file of ours carries as ``header``.

    Raises
    ------
    ValueError, KeyError
        There is none, or its format is not the one that is wanted.
    """
    length = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["header"])
    if header["format"] != wanted:
        raise ValueError(f"format {header['format']!r}; this release reads {wanted}")
    return header
