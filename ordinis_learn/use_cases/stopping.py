"""A request to stop that a signal handler may make at any moment."""

from __future__ import annotations

import os
import select
from typing import Protocol

__all__ = ["StopRequest", "Stopping"]


class Stopping(Protocol):
    """What a loop asks; ``threading.Event`` is one, too."""

    def is_set(self) -> bool:
        """Tell whether to stop."""
        ...

    def wait(self, timeout: float) -> object:
        """Return after so many seconds, or as soon as it is to stop."""
        ...


class StopRequest:
    """Asked for by a signal handler, waited for by the thread that the handler interrupts.

    ``threading.Event`` would not do: its lock may be held by the very wait that the signal interrupts, and ``set`` would then wait
    for ever. A byte in a pipe needs no lock.

    Examples
    --------
    >>> stop = StopRequest()
    >>> stop.wait(0.01), stop.is_set()
    (False, False)
    >>> stop.set()
    >>> stop.wait(60.0), stop.is_set()
    (True, True)
    >>> stop.close()
    """

    def __init__(self) -> None:
        self._asked = False
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def is_set(self) -> bool:
        """Tell whether somebody asked."""
        return self._asked

    def set(self) -> None:
        """Ask; again, nothing more happens."""
        if not self._asked:
            self._asked = True
            os.write(self._write, b"x")

    def wait(self, timeout: float) -> bool:
        """Return whether somebody asked, after so many seconds or as soon as that is so."""
        readable, _, _ = select.select([self._read], [], [], max(timeout, 0.0))
        return bool(readable)

    def close(self) -> None:
        """Release the pipe."""
        os.close(self._read)
        os.close(self._write)
