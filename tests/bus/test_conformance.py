"""What every bus must do; each test runs over the bus in memory and over the real brokers that are there."""

import asyncio

import pytest

from ordinis_learn.bus import Subscription
from ordinis_learn.errors import StoreUnavailable

WAIT = 2.0


def subscription(place, **changes):
    defaults = {"topics": place.topics, "group": "g", "batch_size": 10, "ack_wait_seconds": WAIT}
    return Subscription(**(defaults | changes))


class Collector:
    """A handle that remembers what it was given, and fails when told to."""

    def __init__(self, *, fail_first=0):
        self.batches = []
        self.refused = 0
        self._fail_first = fail_first

    async def __call__(self, bodies):
        if self.refused < self._fail_first:
            self.refused += 1
            raise StoreUnavailable("store", found="told to fail", next_step="try again")
        self.batches.append(list(bodies))

    @property
    def bodies(self):
        return [body for batch in self.batches for body in batch]


async def publish(bus, topic, numbers):
    for number in numbers:
        await bus.publish(topic, b"%d" % number, event_id=f"{topic}-{number}", key="k")


async def publish_to(place, numbers):
    async with place.open() as bus:
        await publish(bus, place.topics[0], numbers)


async def drain(place, handle, **changes):
    async with place.open() as bus:
        await bus.consume(subscription(place, **changes), handle, stop=asyncio.Event(), drain=True)


def test_what_is_published_comes_once_in_order_and_in_bounded_batches(place):
    async def scenario():
        got = Collector()
        async with place.open() as bus:
            await publish(bus, place.topics[0], range(25))
            await bus.consume(subscription(place), got, stop=asyncio.Event(), drain=True)
        assert got.bodies == [b"%d" % number for number in range(25)]
        assert max(map(len, got.batches)) <= 10

    asyncio.run(scenario())


def test_what_was_acknowledged_does_not_come_again(place):
    async def scenario():
        async with place.open() as bus:
            await publish(bus, place.topics[0], range(5))
        first, second = Collector(), Collector()
        await drain(place, first)
        await drain(place, second)
        assert len(first.bodies) == 5
        assert second.bodies == []

    asyncio.run(scenario())


def test_every_group_gets_every_message(place):
    async def scenario():
        async with place.open() as bus:
            await publish(bus, place.topics[0], range(3))
        ones, others = Collector(), Collector()
        await drain(place, ones, group="ones")
        if place.kind == "memory":  # forgotten once every known group has it
            async with place.open() as bus:
                await publish(bus, place.topics[0], range(3, 6))
            await drain(place, others, group="others")
            assert others.bodies == [b"3", b"4", b"5"]
            return
        await drain(place, others, group="others")
        assert ones.bodies == others.bodies == [b"0", b"1", b"2"]

    asyncio.run(scenario())


def test_what_a_handle_refused_comes_again(place):
    async def scenario():
        async with place.open() as bus:
            await publish(bus, place.topics[0], range(4))
        failing = Collector(fail_first=1)
        with pytest.raises(StoreUnavailable, match="told to fail"):
            await drain(place, failing)
        await drain(place, failing)
        assert sorted(failing.bodies) == [b"0", b"1", b"2", b"3"]

    asyncio.run(scenario())


def test_topics_are_read_side_by_side(place):
    async def scenario():
        got = Collector()
        async with place.open() as bus:
            await publish(bus, place.topics[0], range(3))
            await publish(bus, place.topics[1], range(10, 13))
        await drain(place, got)
        assert sorted(got.bodies) == [b"0", b"1", b"10", b"11", b"12", b"2"]

    asyncio.run(scenario())


def test_stop_lets_the_batch_in_hand_finish_and_be_acknowledged(place):
    async def scenario():
        stop, finished = asyncio.Event(), []

        async def slow(bodies):
            stop.set()
            await asyncio.sleep(0.2)
            finished.extend(bodies)

        async with place.open() as bus:
            await publish(bus, place.topics[0], range(3))
            await bus.consume(subscription(place, batch_size=3), slow, stop=stop)
        rest = Collector()
        await drain(place, rest)
        assert len(finished) + len(rest.bodies) == 3
        assert finished

    asyncio.run(scenario())


def test_messages_that_arrive_while_consuming_are_handled(place):
    async def scenario():
        got, stop = Collector(), asyncio.Event()
        async with place.open() as bus:
            reading = asyncio.create_task(bus.consume(subscription(place), got, stop=stop))
            await publish(bus, place.topics[0], range(12))
            while len(got.bodies) < 12:  # noqa: ASYNC110  the handle is the bus's to call
                await asyncio.sleep(0.01)
            stop.set()
            await reading
        assert got.bodies == [b"%d" % number for number in range(12)]

    asyncio.run(scenario())


def test_any_bytes_pass_unchanged(place):
    bodies = [b"", b"\xff\x00", b"{", b'{"a": 1, "a": 2}', b"x" * 100_000, "é".encode()]

    async def scenario():
        got = Collector()
        async with place.open() as bus:
            for number, body in enumerate(bodies):
                await bus.publish(place.topics[0], body, event_id=f"e-{number}", key="k")
            await bus.consume(subscription(place), got, stop=asyncio.Event(), drain=True)
        assert got.bodies == bodies

    asyncio.run(scenario())


def test_a_handle_that_takes_longer_than_the_ack_wait_gets_its_batch_once(place):
    async def scenario():
        got = []

        async def long(bodies):
            got.extend(bodies)
            await asyncio.sleep(2.2)

        await publish_to(place, range(3))
        await drain(place, long, ack_wait_seconds=1)
        assert sorted(got) == [b"0", b"1", b"2"]

    asyncio.run(scenario())


def test_two_members_of_a_group_share_the_work(place):
    async def scenario():
        ones, others = Collector(), Collector()
        await publish_to(place, range(40))
        await asyncio.gather(drain(place, ones, batch_size=5), drain(place, others, batch_size=5))
        together = ones.bodies + others.bodies
        assert sorted(together, key=int) == [b"%d" % number for number in range(40)]

    asyncio.run(scenario())


def test_a_slow_handle_keeps_what_is_in_flight_bounded(place):
    async def scenario():
        busy = most = total = 0

        async def slow(bodies):
            nonlocal busy, most, total
            busy += len(bodies)
            most = max(most, busy)
            await asyncio.sleep(0.02)
            busy -= len(bodies)
            total += len(bodies)

        async with place.open() as bus:
            await publish(bus, place.topics[0], range(60))
            await bus.consume(subscription(place, batch_size=5), slow, stop=asyncio.Event(), drain=True)
        assert total == 60
        assert most <= 5

    asyncio.run(scenario())
