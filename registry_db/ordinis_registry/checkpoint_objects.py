"""Checkpoints in an object store: one object a line, created and never written again.

Objects are named by the number of their line alone, ``00000001.json`` and so on. The store lets a name be created
once (a conditional put on S3, an exclusive open on a file system), so of two servers that would continue the same line
one is told that it came second; a hash in the name would let both lines in, and the chain would fork. The hash is in the line.

What is missing between two lines is found, and so is whatever was written over. That the newest lines were deleted
no list of objects can tell: forbid it where the objects lie, with versioning and a retention lock.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable

__all__ = ["ObjectStoreTarget"]

_NAME: Final = re.compile(r"(\d{8})\.json")


class ObjectStoreTarget:
    """A prefix in whatever fsspec reaches: ``s3://bucket/prefix``, ``gs://…``, ``abfs://…``, ``memory://…``.

    Credentials and endpoints are those of the store's own client (``AWS_PROFILE``, ``AWS_ENDPOINT_URL``, …).

    Parameters
    ----------
    url : str
        The prefix; nothing else should lie under it.

    Raises
    ------
    ConfigInvalid
        fsspec, or its client for this kind of store, is not installed.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._files, self._root = _opened(self._url)

    @property
    def address(self) -> str:
        """What ``--to`` takes."""
        return self._url

    def lines(self) -> list[bytes]:
        """Return every line, oldest first; an empty one where an object is missing between two others."""
        with self._translated("read"):
            self._files.invalidate_cache()
            if not self._files.exists(self._root):
                return []
            paths = {
                int(match[1]): path
                for path in self._files.ls(self._root, detail=False)
                if (match := _NAME.fullmatch(path.rpartition("/")[2]))
            }
            texts = self._files.cat(list(paths.values())) if paths else {}
            return [
                texts[paths[number]] if number in paths else b""
                for number in range(1, max(paths, default=0) + 1)
            ]

    def append(self, line: bytes, *, by: str, after: int) -> None:
        """Create the object after the given number of lines.

        Raises
        ------
        StoreUnavailable
            The store cannot be written, or with ``taken`` in its data: another writer was there first.
        """
        del by
        path = f"{self._root}/{after + 1:08d}.json"
        with self._translated("write"):
            try:
                if getattr(self._files, "local_file", False):
                    self._files.makedirs(
                        self._root, exist_ok=True
                    )  # a bucket is never made by a slip of the pen
                    _create_whole(Path(path), line)
                else:
                    with self._files.open(path, "xb") as stream:
                        stream.write(line)
            except FileExistsError as error:
                raise StoreUnavailable(
                    f"write checkpoint {after + 1} to {self._url}",
                    found="another writer was there first",
                    next_step="try again: it continues the newest line",
                    taken=True,
                ) from error

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Do nothing: of two writers of one line, the store itself takes one."""
        yield

    @contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable:
            raise
        except Exception as error:  # each client raises errors of its own, and fsspec knows no root of them
            raise StoreUnavailable(
                f"{verb} the checkpoints at {self._url}",
                found=f"{type(error).__name__}: {error}",
                next_step="check the bucket, its credentials and the network, then ordinis-learn ledger checkpoint",
            ) from error


def _create_whole(path: Path, content: bytes) -> None:
    """Create a file that nobody ever sees half written, as an object store does; FileExistsError where it is there."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".writing-") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
        path.hardlink_to(stream.name)


def _opened(url: str) -> tuple[Any, str]:
    try:
        import fsspec  # noqa: PLC0415  an extra

        files, root = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ConfigInvalid(
            f"keep checkpoints at {url}",
            found=str(error),
            next_step="pip install 'ordinis-learn[object-store]' (S3), or fsspec's client for that store",
        ) from error
    return files, root.rstrip("/")
