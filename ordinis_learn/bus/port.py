"""What LEARN needs from a message bus, as a protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

__all__ = ["Bus", "Handle", "Subscription"]

Handle = Callable[[Sequence[bytes]], Awaitable[None]]
"""Take a batch of message bodies. Returning means they are safe and may be forgotten by the bus."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """What is read from a bus, and how much of it at once.

    ``group`` names those who share the work: each message goes to one member, and a message that a member took
    and did not acknowledge within ``ack_wait_seconds`` goes to another. At most ``batch_size`` messages of each
    topic are in flight in one process.
    """

    topics: tuple[str, ...]
    group: str = "learn"
    batch_size: int = 500
    ack_wait_seconds: float = 30.0


class Bus(Protocol):
    """A broker that keeps messages until they are acknowledged. Entering it connects, leaving it disconnects.

    Delivery is at least once. A batch is acknowledged after ``handle`` returned, never before; when ``handle``
    raises, or the process dies, its messages come again. So what ``handle`` does must be harmless twice. Within a
    topic batches are handled one after the other, and nothing more is fetched meanwhile: a slow ``handle`` makes
    the backlog grow at the broker, not here.

    ``publish`` returns once the broker has the message. Publishing again under one ``event_id`` is harmless: a
    broker that remembers ids drops it (NATS, for the stream's window), and capture drops it everywhere.

    A lost connection is taken up again; meanwhile ``publish`` raises BusUnavailable and ``consume`` waits. One
    task uses a bus at a time for consuming; publishing beside it is allowed.
    """

    async def publish(self, topic: str, body: bytes, *, event_id: str, key: str) -> None:
        """Hand over one message; BusUnavailable unless the broker has confirmed it. ``key`` keeps order."""
        ...

    async def consume(
        self, subscription: Subscription, handle: Handle, *, stop: asyncio.Event, drain: bool = False
    ) -> None:
        """Give batches to ``handle`` until ``stop`` is set, or with ``drain`` until nothing waits any more.

        A batch that is being handled when ``stop`` comes is finished and acknowledged first. What ``handle``
        raises ends the consumption and is raised here.
        """
        ...

    async def __aenter__(self) -> Self:
        """Connect; BusUnavailable when nobody answers."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Disconnect; what was acknowledged stays so."""
        ...
