"""Where files lie: a path on disk, or a URL of object storage that is used like one."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from ordinis_learn.errors import ConfigInvalid

__all__ = ["locate"]


def locate(url: str | Path) -> Path:
    """Return a path on disk, or for a URL (``s3://bucket/prefix``) a value with the methods of one.

    Raises
    ------
    ConfigInvalid
        It is a URL, and what reads such URLs is not installed.

    Examples
    --------
    >>> locate("/data/datasets").name
    'datasets'
    """
    if "://" not in str(url):
        return Path(url)
    try:
        from upath import UPath  # noqa: PLC0415  an extra

        # Opening the file system tells whether its own library is there too.
        located = UPath(url)
        located.fs  # noqa: B018
    except (ImportError, ValueError) as error:
        raise ConfigInvalid(
            f"use the location {url}",
            found=str(error),
            next_step="pip install 'ordinis-learn[object-storage]', or give a folder on disk",
        ) from error
    return cast("Path", located)
