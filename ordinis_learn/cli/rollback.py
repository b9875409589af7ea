"""``ordinis-learn rollback``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command("rollback", example="ordinis-learn rollback sp500_signal --reason 'drift in vol_20'")
@click.argument("name")
@click.option("--reason", required=True, help="Kept in the ledger.")
@click.pass_context
def command(ctx: click.Context, name: str, reason: str) -> None:
    """Swap the active model for the last known good.

    Waits for nobody, but verifies the artifact first. Without a last known good the model goes flat.
    """
    from ordinis_learn.use_cases.roll_back import passed_over, roll_back  # noqa: PLC0415

    with opened(ctx) as engine:
        version = roll_back(engine.workbench, name, reason=reason)
        unfit = passed_over(engine.workbench, name)
    for one in unfit:
        click.echo(f"not {one}", err=True)
    click.echo(f"{name}: v{version} is ACTIVE again" if version else f"{name} is FLAT: nothing is active")
