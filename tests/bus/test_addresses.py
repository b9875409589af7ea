"""Addresses, settings and what an operator is told; the configuration for Kafka, which is not here to be run."""

import asyncio
import json
import subprocess
import sys

import pytest
from faststream.middlewares import AckPolicy

from ordinis_learn.bus import InMemoryBus, Subscription
from ordinis_learn.bus._faststream import Handling, redacted
from ordinis_learn.bus._kafka import KafkaBus
from ordinis_learn.errors import BusUnavailable, ConfigInvalid
from ordinis_learn.records import Topic
from ordinis_learn.settings import load_settings
from ordinis_learn.wiring import open_bus


def test_the_default_topics_are_those_with_a_schema():
    assert load_settings().learn_bus_topics == tuple(topic.value for topic in Topic)


def test_the_scheme_chooses_the_bus():
    assert isinstance(open_bus("memory://"), InMemoryBus)
    assert type(open_bus("nats://h:1")).__name__ == "NatsBus"
    assert type(open_bus("tls://h:1")).__name__ == "NatsBus"
    assert type(open_bus("redis://h:1")).__name__ == "RedisBus"
    with pytest.raises(ConfigInvalid, match="memory://, nats://"):
        open_bus("amqp://h:1")
    with pytest.raises(ConfigInvalid):
        open_bus("")


def test_no_broker_s_client_is_imported_before_one_is_opened():
    heavy = "{'faststream', 'nats', 'redis', 'aiokafka'}"
    program = f"import sys, ordinis_learn.bus, ordinis_learn.cli.bus; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-I", "-c", program], check=True, timeout=120)


def test_a_missing_client_is_named_with_the_extra_to_install():
    program = (
        "import sys; sys.modules['faststream'] = None\n"  # what the import system itself reads as not there
        "from ordinis_learn.errors import ConfigInvalid\n"
        "from ordinis_learn.wiring import open_bus\n"
        "try:\n    open_bus('redis://h:1')\n"
        "except ConfigInvalid as error:\n    print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-I", "-c", program], check=True, timeout=120, capture_output=True, text=True
    )
    assert "ordinis-learn[bus]" in told.stdout


@pytest.mark.parametrize("url", ["nats://user:secret@127.0.0.1:1", "redis://:secret@127.0.0.1:1"])
def test_nobody_there_is_said_without_the_password(url, monkeypatch):
    monkeypatch.setattr("ordinis_learn.bus._faststream.CONNECT_SECONDS", 0.3)

    async def scenario():
        with pytest.raises(BusUnavailable) as refusal:
            async with open_bus(url):
                pass
        assert "secret" not in str(refusal.value)
        assert "***@127.0.0.1:1" in str(refusal.value)

    asyncio.run(scenario())


def test_a_subject_without_a_stream_says_how_to_make_one(nats_place):
    async def scenario():
        async with nats_place.open() as bus:
            with pytest.raises(BusUnavailable, match="nats stream add"):
                await bus.publish("nowhere.at.all", b"", event_id="1", key="k")

    asyncio.run(scenario())


def test_a_redis_stream_that_is_deleted_ends_the_reading(redis_place):
    import redis

    async def scenario():
        async def handle(_):
            raise AssertionError

        async with redis_place.open() as bus:
            subscription = Subscription(topics=redis_place.topics, ack_wait_seconds=1)
            reading = asyncio.create_task(bus.consume(subscription, handle, stop=asyncio.Event()))
            with redis.Redis.from_url(redis_place.url) as client:
                while not client.exists(*redis_place.topics):  # noqa: ASYNC110  Redis makes them
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)
                client.delete(*redis_place.topics)
            with pytest.raises(BusUnavailable, match="deleted"):
                await reading

    asyncio.run(asyncio.wait_for(scenario(), timeout=30))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://h:4222", "nats://h:4222"),
        ("nats://token@h", "nats://***@h"),
        ("kafka://a:1,b:2", "kafka://a:1,b:2"),
        ("redis://u:p@ss@h/0", "redis://***@h/0"),
    ],
)
def test_passwords_are_not_shown(url, shown):
    assert redacted(url) == shown


def test_kafka_commits_by_hand_from_the_beginning():
    async def scenario():
        bus = KafkaBus("kafka://a:9092,b:9092")
        subscriber = bus._subscriber(
            Subscription(topics=("t.one", "t.two"), group="g", batch_size=7),
            Handling(None, stop=asyncio.Event()),
            asyncio.Lock(),
        )
        assert subscriber.topic_names == ["t.one", "t.two"]
        assert subscriber.group_id == "g"
        assert subscriber.max_records == 7
        assert subscriber.ack_policy is AckPolicy.MANUAL
        assert subscriber._connection_args["enable_auto_commit"] is False
        assert subscriber._connection_args["auto_offset_reset"] == "earliest"
        assert bus._broker._connection_kwargs["bootstrap_servers"] == ["a:9092", "b:9092"]

    asyncio.run(scenario())


def test_the_bus_in_memory_refuses_beyond_its_capacity_and_recovers():
    async def scenario():
        bus = InMemoryBus(capacity=2)
        for number in range(2):
            await bus.publish("t", b"", event_id=str(number), key="k")
        with pytest.raises(BusUnavailable, match="2 messages"):
            await bus.publish("t", b"", event_id="2", key="k")

        async def handle(bodies):
            assert len(bodies) == 2

        await bus.consume(Subscription(topics=("t",)), handle, stop=asyncio.Event(), drain=True)
        await bus.publish("t", b"", event_id="2", key="k")

    asyncio.run(scenario())


@pytest.mark.slow
def test_commands_record_and_relay_until_told_to_stop(nats_place, bar, tmp_path):
    import os
    import signal
    import sqlite3
    import subprocess
    import sys
    import time

    topic = nats_place.topics[0]
    program = [sys.executable, "-Im", "ordinis_learn", "--home", str(tmp_path), "bus"]

    async def send(first, last):
        async with nats_place.open() as bus:
            for number in range(first, last):
                await bus.publish(topic, json.dumps(bar(number)).encode(), event_id=f"m{number}", key="k")

    asyncio.run(send(0, 30))
    once = subprocess.run(
        [*program, "consume", "--once", "--topic", topic, "--url", nats_place.url],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert once.stdout.startswith("30 stored, 0 seen before, 0 quarantined")
    running = subprocess.Popen(
        [*program, "consume", "--topic", topic],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"LEARN_BUS_URL": nats_place.url},
    )  # fmt: skip
    asyncio.run(send(30, 50))
    with sqlite3.connect(tmp_path / "data" / "events.db") as log:
        deadline = time.monotonic() + 120
        while log.execute("SELECT count(*) FROM events").fetchone()[0] < 50 and time.monotonic() < deadline:
            time.sleep(0.05)
    log.close()
    running.send_signal(signal.SIGTERM)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert output.startswith("20 stored, 0 seen before, 0 quarantined")
    empty = subprocess.run(
        [*program, "relay", "--once", "--url", nats_place.url],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert empty.stdout == "0 published\n"
    refused = subprocess.run(
        [*program, "relay", "--once"], check=False, capture_output=True, text=True, timeout=120
    )
    assert refused.returncode == 1
    assert "E_CFG_INVALID" in refused.stderr
