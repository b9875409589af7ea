"""``ordinis-learn watch``."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

import click

from ordinis_learn.cli.command import learn_command, opened
from ordinis_learn.cli.ending import raise_told

if TYPE_CHECKING:
    from types import FrameType

    from ordinis_learn.use_cases.stopping import StopRequest


@learn_command("watch", example="ordinis-learn watch --once")
@click.option("--once", is_flag=True, help="Make one whole pass now, and end; for cron or a systemd timer.")
@click.pass_context
def command(ctx: click.Context, *, once: bool) -> None:
    """Do every day what needs nobody: drift, orders, alerts, deliveries.

    After each session's close the drift of everything that is active or in shadow is checked; every minute orders are carried
    out, alerts escalated and delivered, the outbox published, and the dead-man's switch looked at. SIGTERM and SIGINT let it
    finish the duty in hand, and it exits with 0; a second one rolls that back, and it exits with 143 or 130. With --once it exits with 1
    where a duty failed, and a signal rolls back what is in hand.
    """
    from ordinis_learn.use_cases.stopping import StopRequest  # noqa: PLC0415
    from ordinis_learn.use_cases.watch import only_watch, watch, watch_once  # noqa: PLC0415
    from ordinis_learn.wiring import open_bus  # noqa: PLC0415

    with opened(ctx) as engine:
        bench = engine.workbench
        with only_watch(bench.settings.home):
            if once:
                report = watch_once(bench, open_bus=open_bus)
                for line in report.lines:
                    click.echo(line)
                if report.failed:
                    ctx.exit(1)
                return
            stop = StopRequest()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, partial(_ask_to_stop, stop))
            click.echo(f"watching {bench.settings.home}; end it with SIGTERM")
            passes = watch(bench, open_bus=open_bus, stop=stop, tell=click.echo)
            stop.close()
    click.echo(f"ended after {passes} passes")


def _ask_to_stop(stop: StopRequest, number: int, frame: FrameType | None) -> None:
    """Ask the first time; the second time end as any other command does, rolling back what is in hand."""
    if stop.is_set():
        raise_told(number, frame)
    stop.set()
