"""``ordinis-learn doctor``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command


@learn_command("doctor", example="ordinis-learn doctor")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Say what is missing and what to type.

    Exits with 1 when something that is needed is missing; optional parts are only named.
    """
    from ordinis_learn.use_cases.diagnose import diagnose  # noqa: PLC0415

    findings = diagnose(dict(ctx.find_root().obj or {}))
    for finding in findings:
        click.echo(f"{finding.status:<8} {finding.subject:<22} {finding.found}")
        if finding.next_step:
            click.echo(f"{'':<8} {'':<22} next: {finding.next_step}")
    if any(finding.status == "missing" for finding in findings):
        ctx.exit(1)
