"""The outbox reaches the broker: confirmed before forgotten, in order, once for whoever drops known ids."""

import asyncio
import json
import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import pytest

from ordinis_learn.bus import Backoff, InMemoryBus, Subscription, relay_outbox
from ordinis_learn.errors import BusUnavailable
from ordinis_learn.records import LearnTopic, learn_event
from ordinis_learn.testing.catalogue import InMemoryCatalogue

QUICK = Backoff(first_seconds=0.001, most_seconds=0.002, attempts=3)


def filled(clock, *, count, topic=LearnTopic.DRIFT_ALERT):
    catalogue = InMemoryCatalogue(clock=clock)
    catalogue._emit(*(event(number, topic=topic) for number in range(count)))
    return catalogue


def event(number, *, topic=LearnTopic.DRIFT_ALERT):
    at = datetime(2024, 1, 2, tzinfo=UTC)
    return learn_event(topic, {"number": number}, subject="model", identity=str(number), at=at)


async def relay(catalogue, bus, **options):
    return await relay_outbox(
        catalogue, bus, stop=asyncio.Event(), drain=True, **({"backoff": QUICK} | options)
    )


async def numbers_on(bus, topic):
    got = []

    async def handle(bodies):
        got.extend(json.loads(body)["payload"]["number"] for body in bodies)

    await bus.consume(Subscription(topics=(topic,)), handle, stop=asyncio.Event(), drain=True)
    return got


class FailingBus(InMemoryBus):
    """A bus whose broker does not confirm some messages, although it may have taken them."""

    def __init__(self, *, fails_at, taken):
        super().__init__()
        self.calls = 0
        self._fails_at = fails_at
        self._taken = taken

    async def publish(self, topic, body, *, event_id, key):
        self.calls += 1
        if self.calls in self._fails_at:
            if self._taken:
                await super().publish(topic, body, event_id=event_id, key=key)
            raise BusUnavailable("publish", found="no confirmation", next_step="wait")
        await super().publish(topic, body, event_id=event_id, key=key)


def test_everything_is_published_in_order_and_forgotten(clock):
    async def scenario():
        catalogue, bus = filled(clock, count=25), InMemoryBus()
        assert await relay(catalogue, bus, batch_size=10) == 25
        assert catalogue.pending_events() == []
        assert await numbers_on(bus, LearnTopic.DRIFT_ALERT) == list(range(25))
        assert await relay(catalogue, bus) == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("taken", [True, False])
def test_what_was_not_confirmed_is_published_again_and_nothing_overtakes(clock, taken):
    async def scenario():
        catalogue, bus = filled(clock, count=10), FailingBus(fails_at={3, 4, 9}, taken=taken)
        assert await relay(catalogue, bus) == 10
        assert await numbers_on(bus, LearnTopic.DRIFT_ALERT) == list(range(10))

    asyncio.run(scenario())


def test_a_broker_that_stays_silent_leaves_the_rest_in_the_outbox(clock):
    async def scenario():
        catalogue, bus = filled(clock, count=5), FailingBus(fails_at=set(range(3, 100)), taken=False)
        with pytest.raises(BusUnavailable):
            await relay(catalogue, bus)
        assert [entry["payload"]["payload"]["number"] for entry in catalogue.pending_events()] == [2, 3, 4]
        assert bus.calls == 2 + QUICK.attempts

    asyncio.run(scenario())


def test_two_relays_at_once_are_harmless(clock):
    async def scenario():
        catalogue, bus = filled(clock, count=40), InMemoryBus()
        await asyncio.gather(relay(catalogue, bus, batch_size=7), relay(catalogue, bus, batch_size=3))
        assert catalogue.pending_events() == []
        assert await numbers_on(bus, LearnTopic.DRIFT_ALERT) == list(range(40))

    asyncio.run(scenario())


def test_the_outbox_is_read_in_bounded_pieces(clock):
    catalogue = filled(clock, count=5)
    assert [entry["id"] for entry in catalogue.pending_events(limit=2)] == [1, 2]
    assert len(catalogue.pending_events(limit=100)) == 5


def test_the_outbox_in_sqlite_is_relayed_too(clock, tmp_path):
    from ordinis_registry import GovernanceDatabase, SqlCatalogue, outbox

    database = GovernanceDatabase(f"sqlite:///{tmp_path / 'governance.db'}")
    database.upgrade()
    with database.session() as session:
        for number in range(9):
            outbox.enqueue(session, event(number), at=clock())
    catalogue = SqlCatalogue(database, clock=clock, env="dev")
    assert [entry["payload"]["payload"]["number"] for entry in catalogue.pending_events(limit=2)] == [0, 1]

    async def scenario():
        bus = InMemoryBus()
        assert await relay(catalogue, bus, batch_size=4) == 9
        assert await numbers_on(bus, LearnTopic.DRIFT_ALERT) == list(range(9))

    asyncio.run(scenario())
    assert catalogue.pending_events() == []
    database.close()


def test_stop_ends_a_waiting_relay(clock):
    async def scenario():
        stop = asyncio.Event()
        waiting = asyncio.create_task(
            relay_outbox(filled(clock, count=2), InMemoryBus(), stop=stop, poll_seconds=3600)
        )
        await asyncio.sleep(0.05)
        stop.set()
        assert await waiting == 2

    asyncio.run(scenario())


RELAY = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    from datetime import UTC, datetime
    from ordinis_learn.bus import relay_outbox
    from ordinis_learn.records import LearnTopic, learn_event
    from ordinis_learn.wiring import open_bus
    from ordinis_registry import GovernanceDatabase, SqlCatalogue, outbox

    url, topic, database, mode = sys.argv[1:]
    database = GovernanceDatabase(f"sqlite:///{database}")
    database.upgrade()
    at = datetime(2024, 1, 2, tzinfo=UTC)
    if mode == "fill":
        with database.session() as session:
            for number in range(20):
                event = learn_event(LearnTopic.DRIFT_ALERT, {"number": number}, subject="m", identity=str(number), at=at)
                outbox.enqueue(session, event.model_copy(update={"event_type": topic}), at=at)
        sys.exit()

    class DiesBeforeMarking(SqlCatalogue):
        def mark_published(self, ids):
            os.kill(os.getpid(), signal.SIGKILL)

    kind = DiesBeforeMarking if mode == "die" else SqlCatalogue
    catalogue = kind(database, clock=lambda: at, env="dev")

    async def main():
        async with open_bus(url) as bus:
            print(await relay_outbox(catalogue, bus, stop=asyncio.Event(), drain=True, batch_size=8))
        print(len(catalogue.pending_events()))

    asyncio.run(main())
    database.close()
    """
)


def run_relay(place, tmp_path, mode):
    arguments = [place.url, place.topics[0], str(tmp_path / "outbox.db"), mode]
    return subprocess.run(  # noqa: PLW1510  a killed process is what is tried
        [sys.executable, "-I", "-c", RELAY, *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
def test_a_relay_killed_between_publishing_and_marking_loses_and_doubles_nothing(nats_place, tmp_path):
    assert run_relay(nats_place, tmp_path, "fill").returncode == 0
    assert run_relay(nats_place, tmp_path, "die").returncode == -9
    finished = run_relay(nats_place, tmp_path, "finish")
    assert finished.stdout.split() == ["20", "0"], finished.stderr

    async def scenario():
        async with nats_place.open() as bus:
            return await numbers_on(bus, nats_place.topics[0])

    assert asyncio.run(scenario()) == list(range(20))  # the stream dropped the eight that came twice
