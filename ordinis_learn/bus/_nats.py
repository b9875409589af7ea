"""NATS JetStream through FastStream, whose client pulls.

FastStream connects, keeps the connection and publishes with acknowledgement. Batches are pulled with its client
(nats-py): FastStream 0.7's own batch loop waits until a batch is full or its time is over, and drops a batch that
is not full when nats-py ends the wait with Python's own TimeoutError (it expects nats-py's), so that the messages
come back only after ``ack_wait``. The client also finds the stream of a subject, keeps the settings of durable
consumers current and says how much waits, for which FastStream has no calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Any, Final, Self

import nats.errors
import nats.js.errors
from faststream.nats import NatsBroker
from nats.js.api import AckPolicy, ConsumerConfig

from ordinis_learn.bus._faststream import LOGGER, Handling, redacted, with_patience
from ordinis_learn.bus.port import Handle, Subscription
from ordinis_learn.errors import BusUnavailable

__all__ = ["NatsBus"]

_ERRORS: Final = (nats.errors.Error, nats.js.errors.Error, OSError, asyncio.TimeoutError)
_PULL_SECONDS: Final = 0.5
_BATCHES_OF_A_GROUP: Final = 8
_PUBLISH_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class _Consumer:
    stream: str
    durable: str


class NatsBus:
    """A bus over NATS with JetStream; see :class:`~ordinis_learn.bus.port.Bus`.

    Streams belong to whoever runs the broker and are not made here. Each topic gets a durable pull consumer named
    ``<group>-<topic>`` (dots become dashes) with explicit acknowledgement. A member has one batch in flight; all
    members of the group together have at most eight.

    Parameters
    ----------
    url : str
        ``nats://[user:password@]host[:port]``; ``tls://`` for TLS.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._broker = _broker(url)
        self._streams: dict[str, str] = {}

    async def publish(self, topic: str, body: bytes, *, event_id: str, key: str) -> None:
        """Publish with JetStream's acknowledgement; ``Nats-Msg-Id`` lets the stream drop a repetition."""
        del key  # a subject keeps its order
        asked = f"publish event {event_id!r} to {topic}"
        stream = await self._stream(topic, asked=asked)
        try:
            await self._broker.publish(
                body,
                topic,
                stream=stream,
                headers={"Nats-Msg-Id": event_id},
                timeout=_PUBLISH_SECONDS,
            )
        except _ERRORS as error:
            self._streams.pop(topic, None)
            raise self._unavailable(asked, error) from error

    async def consume(
        self, subscription: Subscription, handle: Handle, *, stop: asyncio.Event, drain: bool = False
    ) -> None:
        """Pull batches of each topic; acknowledge each message of a batch after ``handle``."""
        handling = Handling(handle, stop=stop)
        consumers = [await self._prepare(topic, subscription) for topic in subscription.topics]

        async def backlog() -> int:
            return sum([await self._waiting(consumer) for consumer in consumers])

        pulls = asyncio.gather(*(self._pull(one, subscription, handling) for one in consumers))
        try:
            await handling.wait(backlog, drain=drain, readers=pulls)
        finally:
            handling.end()
            await pulls
        handling.check()

    async def __aenter__(self) -> Self:
        """Connect; afterwards a lost connection is taken up again for as long as it takes."""
        await with_patience(self._broker.start(), url=self._url, errors=_ERRORS)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what is buffered and disconnect."""
        with contextlib.suppress(*_ERRORS):  # a broker that is gone has nothing to be told
            await self._broker.stop()

    async def _pull(self, consumer: _Consumer, subscription: Subscription, handling: Handling) -> None:
        """Pull until the end; a broker that does not answer is asked again."""
        pull = await self._jetstream.pull_subscribe_bind(consumer.durable, stream=consumer.stream)
        while not handling.is_ending:
            try:
                messages = await pull.fetch(subscription.batch_size, timeout=_PULL_SECONDS)
            except TimeoutError:  # nothing came, or the connection is gone for now
                continue
            except _ERRORS as error:
                LOGGER.warning("NATS: %s", self._unavailable(f"read {consumer.durable}", error))
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            await self._handle(messages, subscription, handling)
        with contextlib.suppress(*_ERRORS):  # a broker that is gone needs no telling
            await pull.unsubscribe()

    async def _handle(self, messages: list[Any], subscription: Subscription, handling: Handling) -> None:
        async def keep_alive() -> None:
            await _each(messages, "in_progress")

        bodies = [message.data for message in messages]
        every = subscription.ack_wait_seconds / 3
        safe = await handling.run(bodies, keep_alive=keep_alive, every_seconds=every)
        await _each(messages, "ack" if safe else "nak")

    async def _prepare(self, topic: str, subscription: Subscription) -> _Consumer:
        """Make a topic's durable consumer, or bring its settings up to date; return its stream and name."""
        asked = f"read {topic} as {subscription.group}"
        stream = await self._stream(topic, asked=asked)
        durable = f"{subscription.group}-{topic}".translate(str.maketrans(".*>", "---"))
        config = ConsumerConfig(
            durable_name=durable,
            filter_subject=topic,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=subscription.ack_wait_seconds,
            max_ack_pending=_BATCHES_OF_A_GROUP * subscription.batch_size,
        )
        try:
            await self._jetstream.add_consumer(stream, config)
        except _ERRORS as error:
            raise self._unavailable(asked, error) from error
        return _Consumer(stream=stream, durable=durable)

    async def _stream(self, topic: str, *, asked: str) -> str:
        if topic not in self._streams:
            try:
                self._streams[topic] = await self._jetstream.find_stream_name_by_subject(topic)
            except nats.js.errors.NotFoundError as error:
                raise BusUnavailable(
                    asked,
                    found=f"no stream of {redacted(self._url)} holds the subject {topic}",
                    next_step=f"nats stream add ORDINIS --subjects '{topic.partition('.')[0]}.>' --storage file --defaults",
                ) from error
            except _ERRORS as error:
                raise self._unavailable(asked, error) from error
        return self._streams[topic]

    async def _waiting(self, consumer: _Consumer) -> int:
        try:
            info = await self._jetstream.consumer_info(consumer.stream, consumer.durable)
        except _ERRORS as error:
            raise self._unavailable(f"ask how much waits for {consumer.durable}", error) from error
        return int(info.num_pending or 0) + int(info.num_ack_pending or 0)

    @property
    def _jetstream(self) -> Any:
        return self._broker.config.connection_state.stream

    def _unavailable(self, asked: str, error: BaseException) -> BusUnavailable:
        return BusUnavailable(
            asked,
            found=f"{redacted(self._url)}: {str(error) or type(error).__name__}",
            next_step="check the broker and its stream; what was not confirmed stays where it is",
        )


def _broker(url: str) -> Any:
    async def say(error: Exception) -> None:
        LOGGER.warning("NATS: %s", str(error) or type(error).__name__)

    return NatsBroker(
        url,
        apply_types=False,
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        error_cb=say,
        logger=LOGGER,
        log_level=logging.DEBUG,
        name="ordinis-learn",
    )


async def _each(messages: list[Any], answer: str) -> None:
    """Answer for each message; where an answer is lost the message comes again, which is harmless."""
    try:
        for message in messages:
            await getattr(message, answer)()
    except _ERRORS as error:
        LOGGER.warning("NATS: %d messages may come again: %s", len(messages), error)
