"""``ordinis-learn ledger``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from ordinis_learn.cli.command import learn_command, opened


@click.group("ledger", epilog="Example: ordinis-learn ledger verify")
def command() -> None:
    """Verify the ledger, read its history."""


@command.add_command
@learn_command("verify", example="ordinis-learn ledger verify")
@click.pass_context
def verify(ctx: click.Context) -> None:
    """Recompute every hash; name what does not hold and exit with 1."""
    from ordinis_learn.errors import AuditChainBroken  # noqa: PLC0415

    with opened(ctx) as engine:
        faults = engine.workbench.ledger.verify()
    if faults:
        raise AuditChainBroken(
            "verify the ledger",
            found="; ".join(faults),
            next_step="stop promotions, restore the database from a backup, compare it with the checkpoints",
            faults=list(faults),
        )
    click.echo("the ledger verifies")


@command.add_command
@learn_command("reconcile", example="ordinis-learn ledger reconcile --repair")
@click.option("--repair", is_flag=True, help="Put stages, aliases and tags back to what the ledger says.")
@click.pass_context
def reconcile(ctx: click.Context, *, repair: bool) -> None:
    """Compare ledger, stages, aliases, tags and artifacts; exit with 1 when they disagree.

    Each disagreement is recorded and announced once. The bytes of artifacts are never mended.
    """
    from ordinis_learn import wiring  # noqa: PLC0415  seconds of imports
    from ordinis_learn.settings import load_settings  # noqa: PLC0415

    settings = load_settings(**dict(ctx.find_root().obj or {}))
    found = wiring.reconcile(settings, repair=repair)
    left = wiring.reconcile(settings, repair=False) if found and repair else found
    for one in found:
        click.echo(str(one) if one in left else f"{one}: put back")
        if one in left:
            click.echo(f"  next: {one.next_step}")
    if left:
        ctx.exit(1)
    click.echo("ledger and registry agree")


@command.add_command
@learn_command("checkpoint", example="ordinis-learn ledger checkpoint")
@click.pass_context
def checkpoint(ctx: click.Context) -> None:
    """Write all heads to a file outside the database, for later verification."""
    with opened(ctx) as engine:
        bench = engine.workbench
        path = bench.settings.checkpoints_path
        bench.ledger.checkpoint(path, at=bench.clock())
    click.echo(f"appended to {path}; keep a copy where the database's owner cannot write")


@command.add_command
@learn_command("history", example="ordinis-learn ledger history sp500_signal")
@click.argument("name")
@click.pass_context
def history(ctx: click.Context, name: str) -> None:
    """Print a model's records, oldest first (``*`` for identities and policies)."""
    with opened(ctx) as engine:
        for record in engine.workbench.ledger.history(name):
            click.echo(
                f"{record.sequence:>4}  {record.at:%Y-%m-%d %H:%M:%S}Z  {record.action:<22} "
                f"{record.actor.name} ({record.actor.kind})  {record.hash[:12]}"
            )


@command.add_command
@learn_command("active-at", example="ordinis-learn ledger active-at sp500_signal 2026-01-31T16:00:00+00:00")
@click.argument("name")
@click.argument("moment")
@click.pass_context
def active_at(ctx: click.Context, name: str, moment: str) -> None:
    """Say which version was active at a moment (ISO 8601 with an offset)."""
    from ordinis_learn.errors import ConfigInvalid  # noqa: PLC0415

    try:
        asked = datetime.fromisoformat(moment)
    except ValueError:
        asked = datetime.min  # noqa: DTZ901  a naive value, refused below like any other
    if asked.tzinfo is None:
        raise ConfigInvalid(
            f"say what was active at {moment!r}",
            found="not an ISO 8601 moment with an offset",
            next_step="write it like 2026-01-31T16:00:00+00:00",
        )
    with opened(ctx) as engine:
        version = engine.workbench.ledger.active_at(name, asked.astimezone(UTC))
    click.echo(f"{name} v{version} was ACTIVE" if version else f"{name} was FLAT: nothing was active")
