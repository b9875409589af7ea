"""Kafka through FastStream: a consumer group, batches, offsets committed after ``handle``.

Written to the documented behaviour of FastStream and aiokafka; it has not been run against a broker.
FastStream connects, reads batches and publishes. Offsets are committed with its client (aiokafka), and its parser is
not used: a header that is not UTF-8 makes it drop the batch, which the next commit would then pass over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final, Self

import aiokafka.errors
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage
from faststream.middlewares import AckPolicy

from ordinis_learn.bus._faststream import LOGGER, Handling, redacted, whole, with_patience
from ordinis_learn.bus.port import Handle, Subscription
from ordinis_learn.errors import BusUnavailable

__all__ = ["KafkaBus"]

_ERRORS: Final = (aiokafka.errors.KafkaError, OSError, TimeoutError)
_BATCH_MILLISECONDS: Final = 200


class KafkaBus:
    """A bus over Kafka; see :class:`~ordinis_learn.bus.port.Bus`.

    ``ack_wait_seconds`` has no counterpart: the group gives a dead member's partitions away after the session
    timeout. One batch spans all topics of a subscription; the client reads ahead up to its own byte limits.

    Parameters
    ----------
    url : str
        ``kafka://host:port[,host:port…]``.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._broker: Any = KafkaBroker(
            url.partition("://")[2].split(","),
            acks="all",
            enable_idempotence=True,
            apply_types=False,
            client_id="ordinis-learn",
            logger=LOGGER,
            log_level=logging.DEBUG,
        )

    async def publish(self, topic: str, body: bytes, *, event_id: str, key: str) -> None:
        """Publish and wait for all in-sync replicas; one ``key`` is one partition, which keeps its order."""
        asked = f"publish event {event_id!r} to {topic}"
        try:
            await self._broker.publish(body, topic, key=key.encode(), headers={"event_id": event_id})
        except _ERRORS as error:
            raise self._unavailable(asked, error) from error

    async def consume(
        self, subscription: Subscription, handle: Handle, *, stop: asyncio.Event, drain: bool = False
    ) -> None:
        """Read batches of all topics; commit their offsets after ``handle``."""
        handling = Handling(handle, stop=stop)
        busy = asyncio.Lock()
        subscriber = self._subscriber(subscription, handling, busy)
        asked = f"read as {subscription.group}"

        async def backlog() -> int:
            try:
                return await _waiting(subscriber.consumer)
            except _ERRORS as error:
                raise self._unavailable(asked, error) from error

        try:
            await subscriber.start()
        except _ERRORS as error:
            raise self._unavailable(asked, error) from error
        try:
            await handling.wait(backlog, drain=drain)
        finally:
            handling.end()
            async with busy:  # the batch in hand finishes first
                await subscriber.stop()
        handling.check()

    async def __aenter__(self) -> Self:
        """Connect; aiokafka takes a lost connection up again by itself."""
        await with_patience(self._broker.start(), url=self._url, errors=_ERRORS)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what is buffered and disconnect."""
        with contextlib.suppress(*_ERRORS):  # a broker that is gone has nothing to be told
            await self._broker.stop()

    def _subscriber(self, subscription: Subscription, handling: Handling, busy: asyncio.Lock) -> Any:
        subscriber = self._broker.subscriber(
            *subscription.topics,
            group_id=subscription.group,
            batch=True,
            max_records=subscription.batch_size,
            batch_timeout_ms=_BATCH_MILLISECONDS,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            parser=_unparsed,
            decoder=whole,
            persistent=False,
        )

        async def receive(message: Any) -> None:
            bodies = [record.value or b"" for record in message.raw_message]
            async with busy:
                if await handling.run(
                    bodies, keep_alive=_nothing, every_seconds=subscription.ack_wait_seconds
                ):
                    await _commit(subscriber.consumer, len(bodies))

        subscriber(receive)
        return subscriber

    def _unavailable(self, asked: str, error: BaseException) -> BusUnavailable:
        return BusUnavailable(
            asked,
            found=f"{redacted(self._url)}: {str(error) or type(error).__name__}",
            next_step="check the broker; what was not confirmed stays where it is",
        )


async def _commit(consumer: Any, count: int) -> None:
    """Commit what was handled; after a rebalance its new owner reads it again, which is harmless."""
    try:
        await consumer.commit()
    except _ERRORS as error:
        LOGGER.warning("Kafka: %d messages may come again: %s", count, error)


async def _waiting(consumer: Any) -> int:
    """Return how many messages of the assigned partitions are not committed; 1 before any is assigned."""
    partitions = consumer.assignment()
    if not partitions:
        return 1
    ends = await consumer.end_offsets(partitions)
    begins = await consumer.beginning_offsets(partitions)
    waiting = 0
    for partition in partitions:
        committed = await consumer.committed(partition)
        waiting += ends[partition] - (begins[partition] if committed is None else committed)
    return waiting


async def _unparsed(raw: Any) -> StreamMessage[Any]:
    """Parse nothing: what FastStream cannot read is for capture to judge."""
    return StreamMessage(raw_message=raw, body=b"")


async def _nothing() -> None:
    """Do nothing: aiokafka keeps the membership alive in the background."""
