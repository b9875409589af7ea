"""``ordinis-learn bus``."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from ordinis_learn.cli.command import learn_command, opened
from ordinis_learn.cli.feed import feed_options, recorder_for, show_receipt

if TYPE_CHECKING:
    from ordinis_learn.bus import Bus

_ONCE_ATTEMPTS = 5


@click.group("bus", epilog="Example: ordinis-learn bus consume --url nats://127.0.0.1:4222")
def command() -> None:
    """Record what a message broker delivers; publish what LEARN has to tell."""


@command.add_command
@learn_command("consume", example="ordinis-learn bus consume --url nats://127.0.0.1:4222")
@click.option("--url", help="The broker: nats://, redis:// or kafka:// (LEARN_BUS_URL).")
@click.option("--topic", multiple=True, help="What to read instead of LEARN_BUS_TOPICS. Repeatable.")
@click.option("--once", is_flag=True, help="End when nothing waits any more.")
@feed_options
@click.pass_context
def consume(
    ctx: click.Context, /, url: str | None, topic: tuple[str, ...], *, once: bool, **feed: Any
) -> None:
    """Record events from a broker until SIGTERM or SIGINT; acknowledge them after they are on disk.

    Events that are not valid are quarantined and acknowledged. While the log cannot be written nothing is
    acknowledged, and nothing more is fetched.
    """
    from ordinis_learn.bus import Backoff, Subscription, record_from_bus  # noqa: PLC0415  pydantic and pyarrow

    with opened(ctx) as engine:
        bench = engine.workbench
        recorder = recorder_for(bench, **feed)
        subscription = Subscription(
            topics=topic or bench.settings.learn_bus_topics,
            group=bench.settings.learn_bus_group,
            batch_size=bench.settings.learn_bus_batch,
            ack_wait_seconds=bench.settings.learn_bus_ack_wait_s,
        )

        async def work(bus: Bus, stop: asyncio.Event) -> Any:
            return await record_from_bus(
                bus,
                recorder,
                subscription=subscription,
                stop=stop,
                drain=once,
                backoff=Backoff(attempts=_ONCE_ATTEMPTS if once else None),
            )

        receipt = run_on_bus(url or bench.settings.learn_bus_url, work)
    show_receipt(receipt)


@command.add_command
@learn_command("relay", example="ordinis-learn bus relay --url nats://127.0.0.1:4222 --once")
@click.option("--url", help="The broker: nats://, redis:// or kafka:// (LEARN_BUS_URL).")
@click.option("--once", is_flag=True, help="End when the outbox is empty.")
@click.pass_context
def relay(ctx: click.Context, url: str | None, *, once: bool) -> None:
    """Publish the outbox until SIGTERM or SIGINT; an event leaves it once the broker has confirmed it."""
    from ordinis_learn.bus import Backoff, relay_outbox  # noqa: PLC0415  pydantic and pyarrow

    with opened(ctx) as engine:
        bench = engine.workbench

        async def work(bus: Bus, stop: asyncio.Event) -> int:
            patience = Backoff(attempts=_ONCE_ATTEMPTS if once else None)
            return await relay_outbox(bench.catalogue, bus, stop=stop, drain=once, backoff=patience)

        published = run_on_bus(url or bench.settings.learn_bus_url, work)
    click.echo(f"{published} published")


def run_on_bus(url: str, work: Callable[[Bus, asyncio.Event], Awaitable[Any]]) -> Any:
    """Work with a connected bus; SIGTERM and SIGINT let it finish what is in hand."""
    from ordinis_learn.errors import ConfigInvalid  # noqa: PLC0415  light, but not needed for --help
    from ordinis_learn.wiring import open_bus  # noqa: PLC0415  seconds of imports

    if url.startswith("memory://"):
        raise ConfigInvalid(
            "use the bus memory://",
            found="it lives and dies with one process, so nothing could come from it or reach anybody",
            next_step="ordinis-learn bus consume --url nats://127.0.0.1:4222, or set LEARN_BUS_URL",
        )

    async def connected() -> Any:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with open_bus(url) as bus:
            return await work(bus, stop)

    return asyncio.run(connected())
