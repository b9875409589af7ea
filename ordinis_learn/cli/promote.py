"""``ordinis-learn promote``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command("promote", example="ordinis-learn promote sp500_signal 1 shadow")
@click.argument("name")
@click.argument("version")
@click.argument("stage")
@click.pass_context
def command(ctx: click.Context, name: str, version: str, stage: str) -> None:
    """Ask for a stage: shadow, active, retired.

    The gate answers; a refusal lists every rule with what it asked and what it found, and exits with 1.
    """
    from ordinis_learn.use_cases.roll_out import promote  # noqa: PLC0415

    with opened(ctx) as engine:
        result = promote(engine.workbench, name, version, stage=stage)
    click.echo(f"{name} v{version} is {result['state']}")
