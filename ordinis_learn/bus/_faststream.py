"""What the FastStream brokers share: batches into ``handle``, its failure out again, a clean end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from ordinis_learn.bus.port import Handle
from ordinis_learn.errors import BusUnavailable

__all__ = ["CONNECT_SECONDS", "LOGGER", "Handling", "redacted", "whole", "with_patience"]

LOGGER: Final = logging.getLogger("ordinis_learn.bus")
CONNECT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05


class Handling:
    """One consumption: runs ``handle`` on batches, one at a time per topic, and keeps its first failure.

    FastStream logs and forgets what a handler raises; here it ends the consumption, unacknowledged. A batch that
    arrives after the end was decided is given back untouched.
    """

    def __init__(self, handle: Handle, *, stop: asyncio.Event) -> None:
        self._handle = handle
        self._stop = stop
        self._failure: BaseException | None = None
        self._ended = False

    @property
    def is_ending(self) -> bool:
        """Whether nothing more should be begun."""
        return self._ended or self._stop.is_set() or self._failure is not None

    async def run(
        self, bodies: Sequence[bytes], *, keep_alive: Callable[[], Awaitable[Any]], every_seconds: float
    ) -> bool:
        """Handle a batch; tell whether it may be acknowledged.

        ``keep_alive`` is called while ``handle`` takes its time, so that a broker does not give the batch away.
        """
        if self.is_ending:
            return False
        task = asyncio.ensure_future(self._handle(bodies))
        while not (await asyncio.wait({task}, timeout=every_seconds))[0]:
            await keep_alive()
        error = task.exception()
        self._failure = self._failure or error
        return error is None

    async def wait(
        self,
        backlog: Callable[[], Awaitable[int]],
        *,
        drain: bool,
        readers: asyncio.Future[Any] | None = None,
    ) -> None:
        """Return when told to stop, when something failed, or with ``drain`` when nothing waits any more."""
        while not (self.is_ending or (readers is not None and readers.done())):
            if drain and await backlog() == 0:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def sleep(self, seconds: float) -> None:
        """Sleep, or less when the end comes."""
        slept = 0.0
        while slept < seconds and not self.is_ending:
            await asyncio.sleep(min(_POLL_SECONDS, seconds - slept))
            slept += _POLL_SECONDS

    def end(self) -> None:
        """Begin nothing more."""
        self._ended = True

    def check(self) -> None:
        """Raise what ``handle`` raised."""
        if self._failure is not None:
            raise self._failure


async def whole(message: Any) -> Any:
    """Decode nothing: a handler gets FastStream's message itself, and capture reads the bytes."""
    return message


async def with_patience(start: Awaitable[Any], *, url: str, errors: tuple[type[Exception], ...]) -> None:
    """Connect within :data:`CONNECT_SECONDS`, or say that nobody answered; ``errors`` has TimeoutError in it."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await start
    except errors as error:
        raise BusUnavailable(
            f"connect to {redacted(url)}",
            found=str(error) or f"no answer within {CONNECT_SECONDS:.0f} seconds",
            next_step="start the broker, or correct LEARN_BUS_URL",
        ) from error


def redacted(url: str) -> str:
    """Return an address without its password.

    Examples
    --------
    >>> redacted("nats://learn:secret@broker:4222")
    'nats://***@broker:4222'
    >>> redacted("redis://localhost:6379/0")
    'redis://localhost:6379/0'
    """
    scheme, mark, rest = url.rpartition("://")
    return f"{scheme}{mark}***@{rest.rpartition('@')[2]}" if "@" in rest else url
