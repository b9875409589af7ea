"""``ordinis-learn drill``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command("drill", example="ordinis-learn drill sp500_signal")
@click.argument("name", required=False)
@click.pass_context
def command(ctx: click.Context, *, name: str | None) -> None:
    """Rehearse the rollback of a model, or of all, on a copy of the registry.

    The registry itself only gets a record of it. Exits with 1 where a rollback would leave nothing active.
    """
    from ordinis_learn.use_cases.drill import drill  # noqa: PLC0415

    with opened(ctx) as engine:
        done = drill(engine.workbench, name=name)
    if not done:
        click.echo("nothing is active, so there is nothing to roll back")
    for one in done:
        goes = f"v{one.to_version}" if one.to_version else "FLAT"
        said = one.error or f"v{one.from_version} → {goes} in {one.seconds:.3f} s"
        click.echo(f"{one.model}: {'works' if one.works else 'WOULD NOT WORK'}: {said}")
        for why in one.unfit:
            click.echo(f"  passed over {why}")
    if not all(one.works for one in done):
        ctx.exit(1)
