"""NATS JetStream through FastStream: pull consumers, batches, manual acknowledgement.

FastStream pulls, batches, acknowledges and publishes. Its client (nats-py) is used directly for what FastStream has
no call for: finding the stream of a subject, keeping a durable consumer's settings current, asking how much waits.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final, Self

import nats.errors
import nats.js.errors
from faststream.middlewares import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from nats.js.api import AckPolicy as JetStreamAckPolicy
from nats.js.api import ConsumerConfig

from ordinis_learn.bus._faststream import LOGGER, Handling, redacted, whole, with_patience
from ordinis_learn.bus.port import Handle, Subscription
from ordinis_learn.errors import BusUnavailable

__all__ = ["NatsBus"]

_ERRORS: Final = (nats.errors.Error, nats.js.errors.Error, OSError, asyncio.TimeoutError)
_PULL_SECONDS: Final = 0.5
_PUBLISH_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 60.0


class NatsBus:
    """A bus over NATS with JetStream; see :class:`~ordinis_learn.bus.port.Bus`.

    Streams belong to whoever runs the broker and are not made here. Each topic gets a durable pull consumer named
    ``<group>-<topic>`` (dots become dashes) with explicit acknowledgement and at most ``batch_size`` messages in
    flight to all members of the group together.

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
        consumers = [(await self._prepare(topic, subscription), topic) for topic in subscription.topics]
        subscribers = [
            self._subscriber(topic, stream=stream, durable=durable, subscription=subscription, handling=handling)
            for (stream, durable), topic in consumers
        ]

        async def backlog() -> int:
            return sum([await self._waiting(stream, durable) for (stream, durable), _ in consumers])

        try:
            for subscriber in subscribers:
                await subscriber.start()
            await handling.wait(backlog, drain=drain)
        finally:
            await asyncio.gather(*(_ended(subscriber) for subscriber in subscribers))
        handling.check()

    async def __aenter__(self) -> Self:
        """Connect; afterwards a lost connection is taken up again for as long as it takes."""
        await with_patience(self._broker.start(), url=self._url, errors=_ERRORS)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what is buffered and disconnect."""
        with contextlib.suppress(*_ERRORS):  # a broker that is gone has nothing to be told
            await self._broker.stop()

    def _subscriber(
        self, topic: str, *, stream: str, durable: str, subscription: Subscription, handling: Handling
    ) -> Any:
        subscriber = self._broker.subscriber(
            topic,
            durable=durable,
            stream=JStream(stream, declare=False),
            pull_sub=PullSub(batch_size=subscription.batch_size, timeout=_PULL_SECONDS, batch=True),
            ack_policy=AckPolicy.MANUAL,
            decoder=whole,
            persistent=False,
        )

        async def receive(message: Any) -> None:
            async def keep_alive() -> None:
                with contextlib.suppress(*_ERRORS):  # at worst the batch comes twice
                    await message.in_progress()

            bodies = [one.data for one in message.raw_message]
            every = subscription.ack_wait_seconds / 3
            if await handling.run(bodies, keep_alive=keep_alive, every_seconds=every):
                await message.ack()
            else:
                await message.nack()

        subscriber(receive)
        return subscriber

    async def _prepare(self, topic: str, subscription: Subscription) -> tuple[str, str]:
        """Make a topic's durable consumer, or bring its settings up to date; return its stream and name."""
        asked = f"read {topic} as {subscription.group}"
        stream = await self._stream(topic, asked=asked)
        durable = f"{subscription.group}-{topic}".translate(str.maketrans(".*>", "---"))
        config = ConsumerConfig(
            durable_name=durable,
            filter_subject=topic,
            ack_policy=JetStreamAckPolicy.EXPLICIT,
            ack_wait=subscription.ack_wait_seconds,
            max_ack_pending=subscription.batch_size,
        )
        try:
            await self._jetstream.add_consumer(stream, config)
        except _ERRORS as error:
            raise self._unavailable(asked, error) from error
        return stream, durable

    async def _stream(self, topic: str, *, asked: str) -> str:
        if topic not in self._streams:
            try:
                self._streams[topic] = await self._jetstream.find_stream_name_by_subject(topic)
            except nats.js.errors.NotFoundError as error:
                raise BusUnavailable(
                    asked,
                    found=f"no stream of {redacted(self._url)} holds the subject {topic}",
                    next_step=f"nats stream add ORDINIS --subjects '{topic}' --storage file --defaults",
                ) from error
            except _ERRORS as error:
                raise self._unavailable(asked, error) from error
        return self._streams[topic]

    async def _waiting(self, stream: str, durable: str) -> int:
        try:
            info = await self._jetstream.consumer_info(stream, durable)
        except _ERRORS as error:
            raise self._unavailable(f"ask how much waits for {durable}", error) from error
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
        graceful_timeout=_STOP_SECONDS,
        logger=LOGGER,
        log_level=10,  # logging.DEBUG: a line for each message
        name="ordinis-learn",
    )


async def _ended(subscriber: Any) -> None:
    """Let the batch in hand finish, then unsubscribe; a broker that is gone needs no telling."""
    with contextlib.suppress(*_ERRORS):
        await subscriber.stop()
