"""The folders in which drills work, and those that a killed drill left behind.

A living drill holds a lock on a file in its folder, which goes with the process, however that ended.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["abandoned_folders", "drill_folder", "remove_abandoned"]

_PREFIX: Final = "ordinis-drill-"
_LOCK: Final = "owner.lock"


@contextmanager
def drill_folder() -> Iterator[Path]:
    """Make a folder of one's own and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        folder = Path(name)
        draft = folder / f"{_LOCK}.new"
        with draft.open("w", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            draft.rename(folder / _LOCK)  # whoever sees the file sees it locked
            yield folder


def abandoned_folders() -> list[Path]:
    """Return the folders of this user whose drill is dead."""
    return [folder for folder in _folders() if _is_dead(folder)]


def remove_abandoned() -> list[Path]:
    """Remove the folders whose drill is dead; return which."""
    gone = abandoned_folders()
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return gone


def _folders() -> Iterator[Path]:
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")):
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid():
            yield folder


def _is_dead(folder: Path) -> bool:
    """Whether nobody holds the lock; a folder without one was just made, or is of a release that had none."""
    try:
        with (folder / _LOCK).open("r+", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
