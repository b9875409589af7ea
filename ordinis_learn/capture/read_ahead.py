"""Read the next item while the last one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import Final, TypeVar

__all__ = ["read_ahead"]

T = TypeVar("T")

_AHEAD: Final = 1


class _Failed(Exception):
    """What the reading ended with."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.error = error


def read_ahead(items: Iterable[T]) -> Generator[T]:
    """Yield the same items, the next one already being read in a thread of its own.

    The iterable is begun, read and closed in that thread alone, as a connection of SQLite must be. At most one item waits, so
    memory holds three. An error of the reading is raised where its item would have come; leaving early ends the thread.

    Examples
    --------
    >>> list(read_ahead(number * number for number in range(4)))
    [0, 1, 4, 9]
    """
    waiting: queue.Queue[T | _Failed] = queue.Queue(maxsize=_AHEAD)
    left = threading.Event()

    def read() -> None:
        ended = _Failed(None)
        iterator = iter(items)
        try:
            for item in iterator:
                if not _put(waiting, item, left):
                    break
        except BaseException as error:  # noqa: BLE001  it is raised again, in the thread that asked
            ended = _Failed(error)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        _put(waiting, ended, left)

    thread = threading.Thread(target=read, name="ordinis-read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _Failed):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        left.set()
        thread.join()


def _put(waiting: queue.Queue[T | _Failed], item: T | _Failed, left: threading.Event) -> bool:
    """Hand an item over; False when nobody is there to take it any more."""
    while not left.is_set():
        try:
            waiting.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False
