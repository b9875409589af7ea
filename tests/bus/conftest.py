import asyncio
import os
import socket
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from ordinis_learn.bus import InMemoryBus
from ordinis_learn.wiring import open_bus

NATS_URL = os.environ.get("ORDINIS_TEST_NATS_URL", "nats://127.0.0.1:4222")
REDIS_URL = os.environ.get("ORDINIS_TEST_REDIS_URL", "redis://127.0.0.1:6379")
MOMENT = "2024-01-02T21:00:00Z"


def need(url):
    """Skip where nobody listens at an address."""
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname, place.port), timeout=1).close()
    except OSError as error:
        pytest.skip(f"no broker at {url}: {error}")


@pytest.fixture(scope="session")
def bar():
    """Make a bar event as a broker would carry it."""

    def make(number):
        return {
            "event_id": f"bar-{number}",
            "event_type": "ordinis.market.bar.closed",
            "ts_event": MOMENT,
            "ts_ingest": MOMENT,
            "source": "test",
            "correlation_id": "c-1",
            "partition_key": "KO",
            "payload": {"symbol": "KO", "tf": "1d", "ts": MOMENT, "session": "2024-01-02", "close": 59.8},
            "tags": {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"},
        }

    return make


@dataclass(kw_only=True)
class Place:
    """Where a test's messages live: a bus to open as often as wanted, and topics of its own."""

    kind: str
    url: str
    topics: tuple[str, ...]
    shared: InMemoryBus = field(default_factory=InMemoryBus)

    def open(self):
        return self.shared if self.kind == "memory" else open_bus(self.url)


def own_topics():
    run = uuid.uuid4().hex[:12]
    return tuple(f"ordinis_test.{run}.{name}" for name in ("one", "two"))


async def add_stream(url, topics, *, name):
    import nats

    client = await nats.connect(url, allow_reconnect=False)
    await client.jetstream().add_stream(name=name, subjects=list(topics))
    await client.close()


async def delete_stream(url, name):
    import nats

    client = await nats.connect(url, allow_reconnect=False)
    await client.jetstream().delete_stream(name)
    await client.close()


@pytest.fixture
def nats_place():
    need(NATS_URL)
    topics = own_topics()
    name = topics[0].replace(".", "_")
    asyncio.run(add_stream(NATS_URL, topics, name=name))
    yield Place(kind="nats", url=NATS_URL, topics=topics)
    asyncio.run(delete_stream(NATS_URL, name))


@pytest.fixture
def redis_place():
    import redis

    need(REDIS_URL)
    topics = own_topics()
    yield Place(kind="redis", url=REDIS_URL, topics=topics)
    with redis.Redis.from_url(REDIS_URL) as client:
        client.delete(*topics)


@pytest.fixture(params=["memory", "nats", "redis"])
def place(request):
    if request.param == "memory":
        return Place(kind="memory", url="memory://", topics=own_topics())
    return request.getfixturevalue(f"{request.param}_place")


@pytest.fixture
def clock():
    """A clock that moves one second at each look."""
    now = datetime(2024, 1, 3, tzinfo=UTC)

    def tick():
        nonlocal now
        now += timedelta(seconds=1)
        return now

    return tick


@pytest.fixture
def sqlite_log(tmp_path, clock):
    from ordinis_learn.capture import SqliteEventLog

    log = SqliteEventLog(tmp_path / "events.db", clock=clock)
    yield log
    log.close()
