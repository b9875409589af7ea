"""Redis streams through FastStream: consumer groups, batches, acknowledgement after ``handle``.

FastStream connects, reads batches and publishes. Its client (redis-py) is used directly for three things: making a
group that starts at the stream's beginning (FastStream would start at its end), acknowledging the raw entries, and
taking over what a dead member left unacknowledged (FastStream claims entries one by one, beside a reader that
cannot).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from typing import Any, Final, Self

import redis.exceptions
from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy
from faststream.redis import RedisBroker, StreamSub
from faststream.redis.parser import MessageFormat

from ordinis_learn.bus._faststream import LOGGER, Handling, redacted, whole, with_patience
from ordinis_learn.bus.port import Handle, Subscription
from ordinis_learn.errors import BusUnavailable

__all__ = ["RedisBus"]

_ERRORS: Final = (redis.exceptions.RedisError, OSError, TimeoutError)
_FIELD: Final = b"__data__"
_POLL_MILLISECONDS: Final = 500


class RedisBus:
    """A bus over Redis streams; see :class:`~ordinis_learn.bus.port.Bus`.

    A topic is the key of a stream; an entry has its body in the field ``__data__``. Redis does not remember event
    ids, so what is published twice is there twice, and readers drop it. Streams are not trimmed here: what is
    acknowledged stays until whoever runs Redis trims it. What Redis confirms is as durable as its ``appendfsync``.

    Parameters
    ----------
    url : str
        ``redis://[user:password@]host[:port][/database]``; ``rediss://`` for TLS.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._member = f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._broker: Any = RedisBroker(
            url, apply_types=False, message_format=_Plain, logger=LOGGER, log_level=logging.DEBUG
        )
        self._client: Any = None

    async def publish(self, topic: str, body: bytes, *, event_id: str, key: str) -> None:
        """Add an entry; Redis has confirmed it with the entry's number."""
        del key  # a stream keeps its order
        try:
            await self._broker.publish(body, stream=topic)
        except _ERRORS as error:
            raise self._unavailable(f"publish event {event_id!r} to {topic}", error) from error

    async def consume(
        self, subscription: Subscription, handle: Handle, *, stop: asyncio.Event, drain: bool = False
    ) -> None:
        """Read batches of each topic as a member of the group, and what dead members left."""
        handling = Handling(handle, stop=stop)
        readers = [_Reader(topic, subscription, handling, self._client) for topic in subscription.topics]
        subscribers = [self._subscriber(reader) for reader in readers]

        async def backlog() -> int:
            return sum([await self._waiting(reader) for reader in readers])

        try:
            for reader in readers:
                await reader.make_group()
            for subscriber in subscribers:
                await subscriber.start()
        except _ERRORS as error:
            raise self._unavailable(f"read as {subscription.group}", error) from error
        claims = asyncio.gather(*(reader.claim_until_end(self._member) for reader in readers))
        try:
            await handling.wait(backlog, drain=drain, readers=claims)
        finally:
            handling.end()
            await asyncio.wait({claims})
            for reader, subscriber in zip(readers, subscribers, strict=True):
                await reader.finish()
                await subscriber.stop()
        claims.result()
        handling.check()

    async def __aenter__(self) -> Self:
        """Connect; afterwards a lost connection is taken up again at the next call."""
        await with_patience(self._connect(), url=self._url, errors=_ERRORS)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        with contextlib.suppress(*_ERRORS):  # a broker that is gone has nothing to be told
            await self._broker.stop()

    async def _connect(self) -> None:
        self._client = await self._broker.connect()
        await self._client.ping()
        await self._broker.start()

    def _subscriber(self, reader: _Reader) -> Any:
        subscription = reader.subscription
        subscriber = self._broker.subscriber(
            stream=StreamSub(
                reader.topic,
                group=subscription.group,
                consumer=self._member,
                batch=True,
                max_records=subscription.batch_size,
                polling_interval=_POLL_MILLISECONDS,
                last_id=">",
            ),
            ack_policy=AckPolicy.MANUAL,
            parser=_unparsed,
            decoder=whole,
            persistent=False,
        )

        async def receive(message: Any) -> None:
            raw = message.raw_message
            await reader.handle(list(zip(raw["message_ids"], raw["data"], strict=True)))

        subscriber(receive)
        return subscriber

    async def _waiting(self, reader: _Reader) -> int:
        try:
            return await reader.waiting()
        except _ERRORS as error:
            raise self._unavailable(f"ask how much waits in {reader.topic}", error) from error

    def _unavailable(self, asked: str, error: BaseException) -> BusUnavailable:
        return BusUnavailable(
            asked,
            found=f"{redacted(self._url)}: {str(error) or type(error).__name__}",
            next_step="check the broker; what was not confirmed stays where it is",
        )


class _Reader:
    """One topic for one member: handles a batch at a time, acknowledges it, claims what others left."""

    def __init__(self, topic: str, subscription: Subscription, handling: Handling, client: Any) -> None:
        self.topic = topic
        self.subscription = subscription
        self._handling = handling
        self._client = client
        self._busy = asyncio.Lock()

    async def make_group(self) -> None:
        """Make the group, from the stream's beginning; one that is there stays as it is."""
        try:
            await self._client.xgroup_create(self.topic, self.subscription.group, id="0", mkstream=True)
        except redis.exceptions.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def handle(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        """Handle a batch and acknowledge it; what is not stays pending until it is claimed."""
        async with self._busy:
            await self._handle(entries)

    async def claim_until_end(self, member: str) -> None:
        """Take over what has been pending for too long, at the start and then every so often."""
        idle = int(self.subscription.ack_wait_seconds * 1000)
        seconds = self.subscription.ack_wait_seconds / 2
        while not self._handling.is_ending:
            try:
                async with self._busy:  # never our own batch, which may be idle for long
                    answer = await self._client.xautoclaim(
                        self.topic, self.subscription.group, member, idle, count=self.subscription.batch_size
                    )
                    await self._handle(answer[1])
                waits = seconds if not answer[1] else 0.0
            except _ERRORS as error:
                if "NOGROUP" in str(error):  # the stream was deleted, and FastStream has stopped reading
                    raise self._gone(error) from error
                LOGGER.warning("Redis: %s", error)
                waits = seconds
            await self._handling.sleep(waits)

    def _gone(self, error: BaseException) -> BusUnavailable:
        return BusUnavailable(
            f"read {self.topic} as {self.subscription.group}",
            found=f"the stream or its group was deleted: {error}",
            next_step="start again; the group is made anew from the stream's beginning",
        )

    async def finish(self) -> None:
        """Return once the batch in hand is done."""
        async with self._busy:
            return

    async def waiting(self) -> int:
        """Return how many entries are not acknowledged: unread, or read and pending."""
        for group in await self._client.xinfo_groups(self.topic):
            if group["name"] == self.subscription.group.encode():
                unread = await self._client.xrange(
                    self.topic, f"({group['last-delivered-id'].decode()}", count=1
                )
                return int(group["pending"]) + len(unread)
        return 0

    async def _handle(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        if not entries:
            return
        bodies = [_body(fields) for _, fields in entries]
        every = self.subscription.ack_wait_seconds
        if await self._handling.run(bodies, keep_alive=_nothing, every_seconds=every):
            try:
                await self._client.xack(
                    self.topic, self.subscription.group, *[number for number, _ in entries]
                )
            except _ERRORS as error:
                LOGGER.warning("Redis: %d messages may come again: %s", len(entries), error)


class _Plain(MessageFormat):  # type: ignore[misc]  # its package is optional, so mypy does not follow it
    """A body as it is, without FastStream's frame around it, so that any client may read and write it."""

    @classmethod
    async def encode(cls, *, message: Any, **_: Any) -> bytes:
        """Return the body."""
        return bytes(message)

    @classmethod
    def parse(cls, data: bytes) -> tuple[bytes, dict[str, Any]]:
        """Return the body and no headers."""
        return data, {}


async def _unparsed(raw: Any) -> StreamMessage[Any]:
    """Parse nothing: an entry that FastStream cannot read would be pending for ever."""
    return StreamMessage(raw_message=raw, body=b"")


async def _nothing() -> None:
    """Do nothing: another member may claim what is pending for long, which is harmless."""


def _body(fields: dict[bytes, bytes]) -> bytes:
    """Return an entry's body; one written with another field is what its only field says, else a refusal."""
    if _FIELD in fields:
        return fields[_FIELD]
    return next(iter(fields.values())) if len(fields) == 1 else repr(fields).encode()
