"""How a command ends when it is told to: unwound like any exit, and never only seemingly told.

A signal handler runs between two instructions of whatever the main thread is at. Where that is a finaliser, a
weak reference's callback or a C library's call back into Python, Python reports what the handler raises as
unraisable and goes on: a SIGTERM was so lost in SQLAlchemy's registry, and a training told to end finished with
status 0. What was swallowed is therefore raised again, until it lands in code that can be unwound.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Told", "end_cleanly_on_sigterm", "raise_told"]

_AGAIN_SECONDS = 0.05


class Told(SystemExit):
    """The exit of a command that a signal told to end; its status is 128 + the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def end_cleanly_on_sigterm() -> None:
    """Let SIGTERM unwind like any exit: open runs are marked FAILED, scratch folders removed.

    Outside the main thread, which alone may set a handler, nothing is changed.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, raise_told)
        if not isinstance(sys.unraisablehook, _RaiseAgain):
            sys.unraisablehook = _RaiseAgain(sys.unraisablehook)


def raise_told(number: int, _frame: FrameType | None) -> NoReturn:
    """Raise :class:`Told`; a handler for :func:`signal.signal`."""
    raise Told(number)


class _RaiseAgain:
    """An unraisable hook: of what :func:`raise_told` raised it asks for one repetition at a time; the rest goes to the hook before."""

    def __init__(self, before: Callable[[sys.UnraisableHookArgs], Any]) -> None:
        self._before = before
        self._asking: threading.Timer | None = None

    def __call__(self, unraisable: sys.UnraisableHookArgs) -> None:
        told = unraisable.exc_value
        if not isinstance(told, Told):
            self._before(unraisable)
        elif self._asking is None or not self._asking.is_alive():
            # This hook is itself where nothing can be raised: another thread asks the main one, a moment later.
            self._asking = threading.Timer(_AGAIN_SECONDS, _ask_main_thread, (told.number,))
            self._asking.daemon = True
            self._asking.start()


def _ask_main_thread(number: int) -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, number)
