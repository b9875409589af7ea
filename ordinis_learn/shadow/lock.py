"""One runner per version, by a lock of the operating system that goes with its process."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ordinis_learn.errors import StoreUnavailable

__all__ = ["sole_runner"]


@contextmanager
def sole_runner(path: Path, *, now: datetime) -> Iterator[None]:
    """Hold the lock file; its text says who does. A killed process holds nothing any more.

    Raises
    ------
    StoreUnavailable
        Another process holds it (the message says which), or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreUnavailable(
            f"lock {path}",
            found=error.strerror or str(error),
            next_step=f"make {path.parent} writable, then run the shadow again",
        ) from error
    try:
        _lock(descriptor, path)
        _sign(
            descriptor, f"process {os.getpid()} on {socket.gethostname()} since {now:%Y-%m-%d %H:%M:%S} UTC"
        )
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "another process"
        raise StoreUnavailable(
            f"run the shadow of {path.parent.name} {path.stem}",
            found=f"{holder} runs it already",
            next_step="let it go on, or end that process first; `shadow report` needs no runner",
        ) from error


def _sign(descriptor: int, text: str) -> None:
    """Say who holds the lock; a full disk does not keep a runner from starting, it only stays nameless."""
    os.ftruncate(descriptor, 0)
    try:
        os.pwrite(descriptor, text.encode(), 0)
    except OSError:
        return
