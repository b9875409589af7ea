"""``ordinis-learn shadow``."""

from __future__ import annotations

from datetime import datetime

import click

from ordinis_learn.cli.command import learn_command, opened

_DATE = click.DateTime(["%Y-%m-%d"])


@learn_command("shadow", example="ordinis-learn shadow sp500_signal 1 --start 2022-01-03 --end 2022-06-30")
@click.argument("name")
@click.argument("version")
@click.option("--start", type=_DATE, required=True, help="First session.")
@click.option("--end", type=_DATE, required=True, help="Last session.")
@click.pass_context
def command(ctx: click.Context, name: str, version: str, start: datetime, end: datetime) -> None:
    """Run a candidate beside the active model."""
    from ordinis_learn.use_cases.find import find_artifact  # noqa: PLC0415
    from ordinis_learn.use_cases.shadow import shadow  # noqa: PLC0415

    with opened(ctx) as engine:
        artifact = find_artifact(engine.workbench, name, version)
        report = shadow(engine.workbench, artifact.artifact_id, start=start.date(), end=end.date())
    click.echo(f"{report.sessions} sessions, {report.decisions} decisions, {report.paired_decisions} paired")
    click.echo(f"parity {report.parity_max_abs_diff:g}, errors {report.errors}, NaN {report.nan_predictions}")
