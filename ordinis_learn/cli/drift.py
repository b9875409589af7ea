"""``ordinis-learn drift``."""

from __future__ import annotations

from datetime import datetime

import click

from ordinis_learn.cli.command import learn_command, opened

_DATE = click.DateTime(["%Y-%m-%d"])


@learn_command(
    "drift",
    example="ordinis-learn drift sp500_signal --dataset sp500_core --start 2022-01-03 --end 2022-12-28",
)
@click.argument("name")
@click.option("--version", help="Default: the active version.")
@click.option("--dataset", help="The reference (default: what the version was trained on).")
@click.option("--start", type=_DATE, required=True, help="First session.")
@click.option("--end", type=_DATE, required=True, help="Last session.")
@click.option("--all", "everything", is_flag=True, help="Show findings without significance, too.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str,
    version: str | None,
    dataset: str | None,
    start: datetime,
    end: datetime,
    everything: bool,
) -> None:
    """Check the active model against its training data.

    A breach is remembered, alerted, and exits with 0: it is a finding, not a failure of the command.
    """
    from ordinis_learn.use_cases.drift import check_model_drift  # noqa: PLC0415

    with opened(ctx) as engine:
        report = check_model_drift(
            engine.workbench, name, version=version, dataset=dataset, start=start.date(), end=end.date()
        )
    shown = [finding for finding in report.findings if everything or finding.severity != "none"]
    for finding in sorted(shown, key=lambda found: -found.value):
        click.echo(
            f"{finding.severity:<9} {finding.feature:<18} {finding.metric:<12} {finding.value:8.4f}  "
            f"null {finding.threshold:.4f}  q={finding.q_value:.3f}"
        )
    verdict = "BREACHED" if report.breached else "no breach"
    click.echo(f"{verdict}: {len(report.findings)} findings, {len(shown)} shown")
