"""``ordinis-learn reproduce``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command("reproduce", example="ordinis-learn reproduce sp500_signal 2")
@click.argument("name")
@click.argument("version")
@click.pass_context
def command(ctx: click.Context, name: str, version: str) -> None:
    """Train a version again and compare the bytes.

    The configuration is the one that its run recorded. Exit status 0 when they are identical, 1 when they differ or the version is marked as not reproducible. Nothing is registered. Where they differ, look at what was
    otherwise: another version of a library or of this code gives other bytes, and so does another number of threads for a
    network.
    """
    from ordinis_learn.use_cases.reproduce import reproduce  # noqa: PLC0415

    with opened(ctx) as engine:
        found = reproduce(engine.workbench, name, version)
    for one in found.circumstances:
        click.echo(f"  {one}")
    if found.identical:
        click.echo(f"{name} v{version}: identical")
        return
    click.echo(f"{name} v{version}: differs in {', '.join(found.differing)}")
    ctx.exit(1)
