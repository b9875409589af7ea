"""Broker and consumer are killed without warning; nothing is lost or doubled."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest

from ordinis_learn.bus import Backoff, Subscription, record_from_bus
from ordinis_learn.capture import EventRecorder, SqliteEventLog
from ordinis_learn.errors import BusUnavailable
from ordinis_learn.records import Topic
from ordinis_learn.wiring import open_bus

SERVER = shutil.which("nats-server") or "/usr/sbin/nats-server"
REDIS = shutil.which("redis-server")
TOPIC = "ordinis.market.bar.closed"


class Broker:
    """A server of the test's own, on loopback; only its own process is ever ended."""

    scheme = "nats"

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self.process = None

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def command(self):
        where = ["--addr", "127.0.0.1", "--port", str(self.port)]
        return [SERVER, "--jetstream", *where, "--store_dir", str(self.folder)]

    def start(self):
        self.process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the server did not start")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class RedisBroker(Broker):
    """A Redis server that syncs what it confirms."""

    scheme = "redis"

    def command(self):
        self.folder.mkdir(exist_ok=True)
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return [REDIS, *where, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]


@pytest.fixture
def broker(tmp_path):
    if not os.access(SERVER, os.X_OK):
        pytest.skip("no nats-server binary here")
    broker = Broker(tmp_path / "jetstream")
    broker.start()
    asyncio.run(make_stream(broker.url))
    yield broker
    broker.kill()


async def make_stream(url):
    import nats

    client = await nats.connect(url)
    await client.jetstream().add_stream(name="ORDINIS", subjects=["ordinis.>"])
    await client.close()


async def stored_reaches(log, count):
    while sum(log.counts().values()) < count:  # noqa: ASYNC110  a thread writes
        await asyncio.sleep(0.01)


async def publish_all(bus, events):
    """Publish until each is confirmed, as a sender with an outbox does."""
    for event in events:
        while True:
            try:
                await bus.publish(TOPIC, json.dumps(event).encode(), event_id=event["event_id"], key="KO")
            except BusUnavailable:
                await asyncio.sleep(0.1)
            else:
                break


@pytest.mark.slow
def test_a_redis_killed_and_restarted_mid_stream_loses_and_doubles_nothing(tmp_path, bar, sqlite_log):
    if REDIS is None:
        pytest.skip("no redis-server binary here")
    broker = RedisBroker(tmp_path / "redis")
    broker.start()
    try:
        check_that_a_killed_broker_loses_and_doubles_nothing(broker, bar, sqlite_log)
    finally:
        broker.kill()


def test_a_broker_killed_and_restarted_mid_stream_loses_and_doubles_nothing(broker, bar, sqlite_log):
    check_that_a_killed_broker_loses_and_doubles_nothing(broker, bar, sqlite_log)


def check_that_a_killed_broker_loses_and_doubles_nothing(broker, bar, sqlite_log):
    events = [bar(number) for number in range(1000)]

    async def scenario():
        stop = asyncio.Event()
        async with open_bus(broker.url) as bus:
            reading = asyncio.create_task(
                record_from_bus(
                    bus,
                    EventRecorder(sqlite_log),
                    subscription=Subscription(topics=(TOPIC,), batch_size=50, ack_wait_seconds=1),
                    stop=stop,
                )
            )
            sending = asyncio.create_task(publish_all(bus, events))
            await stored_reaches(sqlite_log, 300)
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            await sending
            await stored_reaches(sqlite_log, len(events))
            stop.set()
            return await reading

    receipt = asyncio.run(asyncio.wait_for(scenario(), timeout=120))
    assert receipt.accepted == len(events)
    assert receipt.quarantined == 0
    stored = sqlite_log.scan(Topic.BAR).column("event_id").to_pylist()
    assert sorted(stored) == sorted(event["event_id"] for event in events)


CONSUMER = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from ordinis_learn.bus import Subscription, record_from_bus
    from ordinis_learn.capture import EventRecorder, SqliteEventLog
    from ordinis_learn.wiring import open_bus

    url, topic, path, dies_at, dies_after = sys.argv[1:]
    log = SqliteEventLog(Path(path), clock=lambda: datetime.now(UTC))

    class Dies(EventRecorder):
        batches = 0
        def record_events(self, events, *, batch_size=1000):
            Dies.batches += 1
            if Dies.batches == int(dies_at):
                super().record_events(events[: int(dies_after)], batch_size=batch_size)
                os.kill(os.getpid(), signal.SIGKILL)
            return super().record_events(events, batch_size=batch_size)

    async def main():
        async with open_bus(url) as bus:
            receipt = await record_from_bus(
                bus, Dies(log),
                subscription=Subscription(topics=(topic,), batch_size=20, ack_wait_seconds=1),
                stop=asyncio.Event(), drain=True,
            )
        print(receipt.accepted, receipt.duplicates)

    asyncio.run(main())
    log.close()
    """
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "dies_after"), [("nats", 0), ("nats", 7), ("nats", 20), ("redis", 7), ("redis", 20)]
)
def test_a_consumer_killed_mid_batch_loses_and_doubles_nothing(request, kind, dies_after, bar, tmp_path):
    place = request.getfixturevalue(f"{kind}_place")
    path, topic = tmp_path / "killed.db", place.topics[0]

    async def send():
        async with place.open() as bus:
            for number in range(100):
                event = bar(number)
                await bus.publish(topic, json.dumps(event).encode(), event_id=event["event_id"], key="KO")

    def consume(dies_at):
        arguments = [place.url, topic, str(path), str(dies_at), str(dies_after)]
        return subprocess.run(  # noqa: PLW1510  a killed process is what is tried
            [sys.executable, "-I", "-c", CONSUMER, *arguments], capture_output=True, text=True, timeout=120
        )

    asyncio.run(send())
    assert consume(3).returncode == -signal.SIGKILL
    finished = consume(0)
    assert finished.stdout.split() == [str(100 - 40 - dies_after), str(dies_after)], finished.stderr
    log = SqliteEventLog(path, clock=lambda: None)
    stored = log.scan(Topic.BAR).column("event_id").to_pylist()
    log.close()
    assert sorted(stored) == sorted(f"bar-{number}" for number in range(100))


def test_a_slow_log_keeps_the_backlog_at_the_broker(broker, bar, clock):
    """While the log stands still the backlog stays at the broker.

    In flight are one batch in hand and at most the one before it: its acknowledgements need no answer, so the broker may
    count them after it has sent the next.
    """
    import nats

    from ordinis_learn.testing import InMemoryEventLog

    class SlowLog(InMemoryEventLog):
        def append_rows(self, rows):
            time.sleep(0.05)
            return super().append_rows(rows)

    log, seen = SlowLog(clock=clock), []

    async def watch(stop):
        client = await nats.connect(broker.url)
        name = f"learn-{TOPIC}".replace(".", "-")
        while not stop.is_set():
            info = await client.jetstream().consumer_info("ORDINIS", name)
            seen.append((info.num_ack_pending, info.num_pending))
            await asyncio.sleep(0.01)
        await client.close()

    async def scenario():
        stop = asyncio.Event()
        subscription = Subscription(topics=(TOPIC,), batch_size=20, ack_wait_seconds=5)
        async with open_bus(broker.url) as bus:
            await publish_all(bus, [bar(number) for number in range(400)])
            reading = asyncio.create_task(
                record_from_bus(
                    bus,
                    EventRecorder(log),
                    subscription=subscription,
                    stop=stop,
                    drain=True,
                    backoff=Backoff(),
                )
            )
            await asyncio.sleep(0.2)
            watching = asyncio.create_task(watch(stop))
            await reading
            stop.set()
            await watching

    asyncio.run(asyncio.wait_for(scenario(), timeout=120))
    assert log.position() == 400
    assert max(in_flight for in_flight, _ in seen) <= 2 * 20
    assert max(waiting for _, waiting in seen) > 100
