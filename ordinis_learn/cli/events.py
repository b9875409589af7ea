"""``ordinis-learn events``."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from ordinis_learn.cli.command import learn_command, opened
from ordinis_learn.cli.events_import import import_events
from ordinis_learn.cli.events_quarantine import command as quarantine

if TYPE_CHECKING:
    from datetime import datetime


@click.group("events", epilog="Example: ordinis-learn events count")
def command() -> None:
    """Record events, seal closed days, look at the quarantine."""


command.add_command(quarantine)


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
    for code, number in sorted(receipt.reasons.items()):
        click.echo(f"  {code}: {number}; next: ordinis-learn events quarantine list")
    if receipt.quarantined and not receipt.accepted + receipt.duplicates:
        ctx.exit(1)


@command.add_command
@learn_command("count", example="ordinis-learn events count")
@click.pass_context
def count(ctx: click.Context) -> None:
    """Count stored events by type: in all, and how many of them are sealed."""
    with opened(ctx) as engine:
        sealed = engine.workbench.sealer.sealed()
        counts = engine.workbench.log.counts()
    for topic, number in sorted(counts.items()):
        click.echo(f"{number:>10}  {topic}  ({sealed.get(topic, 0)} sealed)")
    click.echo(f"{sum(counts.values()):>10}  in all  ({sum(sealed.values())} sealed)")


@command.add_command
@learn_command("seal", example="ordinis-learn events seal --before 2024-02-01")
@click.option(
    "--before", type=click.DateTime(["%Y-%m-%d"]), help="Seal days before this one (default: today, UTC)."
)
@click.option("--dry-run", is_flag=True, help="Say what would be sealed; change nothing.")
@click.pass_context
def seal(ctx: click.Context, *, before: datetime | None, dry_run: bool) -> None:
    """Move closed days from the hot log into sealed Parquet files; finish what was interrupted."""
    end = before.date() if before else None
    with opened(ctx) as engine:
        sealer = engine.workbench.sealer
        if dry_run:
            days = sealer.plan(before=end)
            for day in days:
                click.echo(f"{day.rows:>10}  {day.day}  {day.topic}")
            click.echo(f"{sum(day.rows for day in days):>10}  would be sealed")
            return
        rows = 0
        for day, segments in sealer.seal(before=end):
            rows += sum(one.rows for one in segments)
            click.echo(
                f"{sum(one.rows for one in segments):>10}  {day.day}  {day.topic}  {len(segments)} files"
            )
    click.echo(f"{rows:>10}  sealed")


@command.add_command
@learn_command("verify", example="ordinis-learn events verify")
@click.pass_context
def verify(ctx: click.Context) -> None:
    """Recompute the SHA-256 of every sealed file and compare; exits with 1 when one is not what it was."""
    with opened(ctx) as engine:
        faults = list(engine.workbench.sealer.verify())
        rows = sum(engine.workbench.sealer.sealed().values())
    for fault in faults:
        click.echo(fault)
    click.echo(f"{rows} sealed events, {len(faults)} faults")
    if faults:
        ctx.exit(1)
