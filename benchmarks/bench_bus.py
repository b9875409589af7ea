"""Recording from NATS JetStream into the SQLite log, against a loop of bare nats-py that only acknowledges.

Both sides pull the same messages in batches of 500 from a stream in files and acknowledge each. Ours also validates
them, writes them durably before it acknowledges, asks the broker whether anything is left, and ends its last pull
(up to half a second). The stream is filled before the clock starts. Needs a NATS server with JetStream at
``ORDINIS_TEST_NATS_URL`` (default ``nats://127.0.0.1:4222``); without one there is no row.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks._harness import Row, compare
from benchmarks.bench_capture import START, signals
from ordinis_learn.bus import Subscription, record_from_bus
from ordinis_learn.capture import EventRecorder, SqliteEventLog
from ordinis_learn.wiring import open_bus

URL = os.environ.get("ORDINIS_TEST_NATS_URL", "nats://127.0.0.1:4222")
BATCH = 500


def run(*, quick):
    place = urlsplit(URL)
    try:
        socket.create_connection((place.hostname, place.port), timeout=1).close()
    except OSError as error:
        print(f"bus: no NATS at {URL}: {error}", file=sys.stderr)
        return
    count, runs = (5_000, 2) if quick else (50_000, 5)
    bodies = [json.dumps(event).encode() for event in signals(count)]
    stream = f"ordinis_bench_{uuid.uuid4().hex[:12]}"
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    asyncio.run(_fill(stream, bodies))
    try:
        yield _row(stream, count, folder, runs=runs)
    finally:
        asyncio.run(_delete(stream))
        shutil.rmtree(folder)


def _row(stream, count, folder, *, runs) -> Row:
    def ours(number):
        path = folder / f"{number}.db"

        async def record():
            log = SqliteEventLog(path, clock=lambda: START)
            subscription = Subscription(topics=(stream,), group=f"ours{number}", batch_size=BATCH)
            async with open_bus(URL) as bus:
                receipt = await record_from_bus(
                    bus, EventRecorder(log), subscription=subscription, stop=asyncio.Event(), drain=True
                )
            log.close()
            assert receipt.accepted == count

        return lambda: asyncio.run(record())

    def bare(number):
        return lambda: asyncio.run(_acknowledge(stream, f"bare{number}", count))

    return compare(
        f"NATS to the log, batches of {BATCH}",
        ours=ours,
        reference_name="bare nats-py, acknowledges only",
        reference=bare,
        runs=runs,
        units=count,
    )


async def _acknowledge(stream, durable, count):
    import nats

    client = await nats.connect(URL)
    pull = await client.jetstream().pull_subscribe(stream, durable, stream=stream)
    done = 0
    while done < count:
        for message in await pull.fetch(BATCH, timeout=5):
            await message.ack()
            done += 1
    await client.drain()


async def _fill(stream, bodies):
    import nats

    client = await nats.connect(URL)
    context = client.jetstream()
    await context.add_stream(name=stream, subjects=[stream])
    for first in range(0, len(bodies), 1000):
        await asyncio.gather(*(context.publish(stream, body) for body in bodies[first : first + 1000]))
    await client.close()


async def _delete(stream):
    import nats

    client = await nats.connect(URL)
    await client.jetstream().delete_stream(stream)
    await client.close()
