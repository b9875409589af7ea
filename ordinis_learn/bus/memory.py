"""A bus inside one process: the default, and the fake that passes the conformance tests of the others."""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase
from typing import Final, Self

from ordinis_learn.bus.port import Handle, Subscription
from ordinis_learn.errors import BusUnavailable

__all__ = ["InMemoryBus"]

_POLL_SECONDS: Final = 0.01


class InMemoryBus:
    """Keeps messages in the memory of this process until acknowledged; see :class:`~ordinis_learn.bus.port.Bus`.

    A message is kept until every group that reads its topic has acknowledged it; one that nobody reads is kept for
    a group to come. Use it on one event loop.

    Parameters
    ----------
    capacity : int
        How many messages are kept at most; a publisher is refused beyond it, so that a reader which stands still
        does not fill the memory. As many event ids are remembered.
    """

    def __init__(self, *, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._messages: dict[str, tuple[str, bytes]] = {}
        self._remembered: dict[str, None] = {}
        self._waiting: dict[tuple[str, str], dict[str, None]] = {}

    async def publish(self, topic: str, body: bytes, *, event_id: str, key: str) -> None:
        """Keep one message; one whose ``event_id`` is remembered is dropped."""
        del key  # order is kept for all keys
        if event_id in self._remembered:
            return
        if len(self._messages) >= self._capacity:
            raise BusUnavailable(
                f"publish event {event_id!r}",
                found=f"the bus in memory holds {self._capacity:,} messages",
                next_step="read from it, or set LEARN_BUS_URL to a broker",
            )
        self._remembered[event_id] = None
        if len(self._remembered) > self._capacity:
            del self._remembered[next(iter(self._remembered))]
        self._messages[event_id] = (topic, body)
        for (_, pattern), queue in self._waiting.items():
            if fnmatchcase(topic, pattern):
                queue[event_id] = None

    async def consume(
        self, subscription: Subscription, handle: Handle, *, stop: asyncio.Event, drain: bool = False
    ) -> None:
        """Give batches to ``handle``, topic by topic."""
        for topic in subscription.topics:
            self._join(subscription.group, topic)
        while not stop.is_set():
            handled = 0
            for topic in subscription.topics:
                handled += await self._hand_over((subscription.group, topic), subscription.batch_size, handle)
                if stop.is_set():
                    return
            if drain and not handled:
                return
            if not handled:
                await asyncio.sleep(_POLL_SECONDS)

    async def __aenter__(self) -> Self:
        """Do nothing: there is nobody to connect to."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Do nothing."""

    async def _hand_over(self, reader: tuple[str, str], batch_size: int, handle: Handle) -> int:
        batch = list(self._waiting[reader])[:batch_size]
        if batch:
            await handle([self._messages[event_id][1] for event_id in batch])
        for event_id in batch:
            self._waiting[reader].pop(event_id, None)
            if not any(event_id in queue for queue in self._waiting.values()):
                self._messages.pop(event_id, None)
        return len(batch)

    def _join(self, group: str, pattern: str) -> None:
        kept = [event_id for event_id, (topic, _) in self._messages.items() if fnmatchcase(topic, pattern)]
        self._waiting.setdefault((group, pattern), dict.fromkeys(kept))
