"""Recording from a bus: durable before acknowledged, nothing lost, nothing doubled, nothing stuck."""

import asyncio
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.bus import Backoff, InMemoryBus, Subscription, record_from_bus
from ordinis_learn.capture import EventRecorder
from ordinis_learn.capture.adapter import AdaptingRecorder, adapter
from ordinis_learn.capture.adapter_legacy import LegacyFeed
from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.testing import InMemoryEventLog

QUICK = Backoff(first_seconds=0.001, most_seconds=0.002)


class FailingLog(InMemoryEventLog):
    """A log that cannot be written the first times."""

    def __init__(self, *, clock, failures):
        super().__init__(clock=clock)
        self.failures = failures
        self.tries = 0

    def append_rows(self, rows):
        self.tries += 1
        if self.tries <= self.failures:
            raise StoreUnavailable("append events", found="the disk is full", next_step="free some space")
        return super().append_rows(rows)


async def send(bus, topic, events):
    for event in events:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        await bus.publish(topic, body, event_id=f"m-{hash(body)}", key="k")


async def record(place, recorder, events=(), *, batch_size=10, stop=None, **options):
    async with place.open() as bus:
        await send(bus, place.topics[0], events)
        return await record_from_bus(
            bus,
            recorder,
            subscription=Subscription(topics=place.topics, batch_size=batch_size, ack_wait_seconds=1),
            stop=stop or asyncio.Event(),
            drain=True,
            **options,
        )


def test_events_reach_the_log_and_poison_reaches_quarantine(place, sqlite_log, bar):
    good = [bar(number) for number in range(30)]
    poison = [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{",
        b'"x"',
        b"\x00" * 50,
        json.dumps(bar(1) | {"event_type": "x"}).encode(),
    ]
    recorder = EventRecorder(sqlite_log)
    receipt = asyncio.run(record(place, recorder, [*good[:10], *poison, *good[10:]]))
    assert (receipt.accepted, receipt.quarantined) == (30, 7)
    assert {entry["raw"] for entry in sqlite_log.quarantined()} == set(poison)
    again = asyncio.run(record(place, recorder))
    assert (again.accepted, again.duplicates, again.quarantined) == (0, 0, 0)


def test_an_event_that_comes_twice_is_stored_once(place, sqlite_log, bar):
    twice = [json.dumps(bar(1)).encode(), json.dumps(bar(1), indent=1).encode()]
    receipt = asyncio.run(record(place, EventRecorder(sqlite_log), twice))
    assert (receipt.accepted, receipt.duplicates) == (1, 1)


def test_an_unwritable_log_is_tried_again_and_nothing_is_lost(place, clock, bar):
    log = FailingLog(clock=clock, failures=4)
    events = [bar(number) for number in range(25)]
    receipt = asyncio.run(record(place, EventRecorder(log), events, backoff=QUICK))
    assert receipt.accepted == 25
    assert log.position() == 25


def test_a_log_that_stays_unwritable_ends_it_and_everything_comes_again(place, clock, sqlite_log, bar):
    broken = FailingLog(clock=clock, failures=10**9)
    patience = Backoff(first_seconds=0.001, most_seconds=0.002, attempts=3)
    events = [bar(number) for number in range(25)]
    with pytest.raises(StoreUnavailable, match="disk is full"):
        asyncio.run(record(place, EventRecorder(broken), events, backoff=patience))
    assert broken.tries == 3
    assert broken.position() == 0
    receipt = asyncio.run(record(place, EventRecorder(sqlite_log)))
    assert receipt.accepted == 25


def test_stop_ends_the_retries(clock, bar):
    async def scenario():
        stop, bus = asyncio.Event(), InMemoryBus()
        await send(bus, "t", [bar(1)])
        log = FailingLog(clock=clock, failures=10**9)
        reading = asyncio.create_task(
            record_from_bus(
                bus,
                EventRecorder(log),
                subscription=Subscription(topics=("t",)),
                stop=stop,
                backoff=Backoff(first_seconds=3600),
            )
        )
        while log.tries == 0:  # noqa: ASYNC110  a thread counts
            await asyncio.sleep(0.01)
        stop.set()
        with pytest.raises(StoreUnavailable):
            await reading

    asyncio.run(scenario())


def test_capture_that_is_switched_off_acknowledges_nothing(place, sqlite_log, bar):
    with pytest.raises(ConfigInvalid, match="LEARN_ENABLE"):
        asyncio.run(record(place, EventRecorder(sqlite_log, enabled=False), [bar(1)]))
    assert asyncio.run(record(place, EventRecorder(sqlite_log))).accepted == 1


def test_old_shapes_come_through_an_adapter(place, sqlite_log):
    fill = {"order_id": "o", "quantity": 1, "price": 2.0, "timestamp": "2024-01-02T21:00:00Z"}
    old = {
        "event_type": "fill",
        "timestamp": "2024-01-02T21:00:01",
        "source": "x",
        "symbol": "KO",
        "payload": fill,
    }
    feed = LegacyFeed(naive_utc_sources=frozenset({"x"}))
    recorder = AdaptingRecorder(
        EventRecorder(sqlite_log), sqlite_log, adapt=adapter("ordinis-legacy", feed=feed)
    )
    receipt = asyncio.run(record(place, recorder, [old, old | {"event_type": "tick"}]))
    assert (receipt.accepted, receipt.quarantined) == (1, 1)
    assert dict(sqlite_log.counts()) == {"ordinis.executions.report": 1}


@given(
    numbers=st.lists(st.integers(0, 9), max_size=30),
    failures=st.integers(0, 5),
    batch_size=st.integers(1, 7),
    groups=st.integers(1, 3),
)
def test_any_interleaving_stores_each_event_exactly_once(numbers, failures, batch_size, groups, bar):
    from datetime import UTC, datetime

    async def scenario():
        bus = InMemoryBus()
        log = FailingLog(clock=lambda: datetime(2024, 1, 1, tzinfo=UTC), failures=failures)
        for place, number in enumerate(numbers):
            body = json.dumps(bar(number)).encode()
            await bus.publish("t", body, event_id=str(place), key="k")
        receipts = await asyncio.gather(
            *(
                record_from_bus(
                    bus,
                    EventRecorder(log),
                    subscription=Subscription(topics=("t",), group=f"g{group}", batch_size=batch_size),
                    stop=asyncio.Event(),
                    drain=True,
                    backoff=Backoff(first_seconds=0, most_seconds=0),
                    rng=random.Random(0),  # noqa: S311  spreads retries
                )
                for group in range(groups)
            )
        )
        assert log.position() == len(set(numbers))
        assert sum(receipt.accepted for receipt in receipts) == len(set(numbers))
        assert sum(receipt.accepted + receipt.duplicates for receipt in receipts) == groups * len(numbers)

    asyncio.run(scenario())


@given(attempt=st.integers(0, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_the_wait_is_bounded_whatever_the_attempt(attempt, chance):
    backoff = Backoff(first_seconds=0.2, most_seconds=30)
    assert 0.15 <= backoff.seconds(attempt, chance=chance) <= 37.5
