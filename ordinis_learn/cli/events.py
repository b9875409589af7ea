"""``ordinis-learn events``."""

from __future__ import annotations

from typing import BinaryIO

import click

from ordinis_learn.cli.command import learn_command, opened
from ordinis_learn.cli.events_import import import_events


@click.group("events", epilog="Example: ordinis-learn events count")
def command() -> None:
    """Record events, count them, look at the quarantine."""


command.add_command(import_events)


@command.add_command
@learn_command("record", example="ordinis-learn events record day.jsonl")
@click.argument("file", type=click.File("rb"))
@click.pass_context
def record(ctx: click.Context, file: BinaryIO) -> None:
    """Record a file of JSON lines (``-`` for standard input); bad lines go to quarantine.

    Exits with 1 when every line was bad.
    """
    with opened(ctx) as engine:
        receipt = engine.workbench.recorder.record_events(line for line in file if line.strip())
    click.echo(
        f"{receipt.accepted} stored, {receipt.duplicates} seen before, {receipt.quarantined} quarantined"
    )
    for code, count in sorted(receipt.reasons.items()):
        click.echo(f"  {code}: {count}; next: ordinis-learn events quarantine")
    if receipt.quarantined and not receipt.accepted + receipt.duplicates:
        ctx.exit(1)


@command.add_command
@learn_command("count", example="ordinis-learn events count")
@click.pass_context
def count(ctx: click.Context) -> None:
    """Count stored events by type."""
    with opened(ctx) as engine:
        counts = engine.workbench.log.counts()
    for topic, number in sorted(counts.items()):
        click.echo(f"{number:>10}  {topic}")
    click.echo(f"{sum(counts.values()):>10}  in all")


@command.add_command
@learn_command("quarantine", example="ordinis-learn events quarantine")
@click.pass_context
def quarantine(ctx: click.Context) -> None:
    """List what was refused, with the reason."""
    with opened(ctx) as engine:
        entries = engine.workbench.log.quarantined()
    for entry in entries:
        click.echo(f"{entry['code']}  ×{entry['count']}  {entry['reason']}")
    click.echo(f"{len(entries)} quarantined")
