"""``ordinis-learn drift``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from ordinis_learn.cli.command import learn_command, opened
from ordinis_learn.cli.drift_answers import command as answers

if TYPE_CHECKING:
    from ordinis_learn.records import DriftReport

_DATE = click.DateTime(["%Y-%m-%d"])


@click.group("drift", epilog="Example: ordinis-learn drift run --all")
def command() -> None:
    """Check what is active, or in shadow, against its training data."""


command.add_command(answers)


@command.add_command
@learn_command("run", example="ordinis-learn drift run sp500_signal --start 2022-01-03 --end 2022-12-28")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every model that is active or in shadow.")
@click.option("--version", help="Default: the active version, or all that are watched.")
@click.option("--dataset", help="The reference (default: what the version was trained on).")
@click.option("--start", type=_DATE, help="First session of a span of your own.")
@click.option("--end", type=_DATE, help="Last session of it.")
@click.option("--findings", is_flag=True, help="Show findings without significance, too.")
@click.pass_context
def run(
    ctx: click.Context,
    *,
    name: str | None,
    everything: bool,
    version: str | None,
    dataset: str | None,
    start: datetime | None,
    end: datetime | None,
    findings: bool,
) -> None:
    """Check each session since the last check, in order and once; or a span that is given. ``all`` is as good as --all.

    A breach is remembered and alerted, and exits with 0: it is a finding, not a failure of the command. A check that could not
    be made is an alert too, and exits with 1.
    """
    if name == "all":
        name, everything = None, True
    if (name is None) != everything:
        raise click.UsageError("give a model's NAME, or --all")
    if (start is None) != (end is None):
        raise click.UsageError("give both --start and --end, or neither")
    if start is not None and end is not None:
        if name is None:
            raise click.UsageError("a span is checked for one NAME at a time")
        if end < start:
            raise click.UsageError("--end lies before --start")
        _span(ctx, name, version=version, dataset=dataset, start=start, end=end, findings=findings)
        return
    if version is not None:
        raise click.UsageError(
            "--version goes with --start and --end; a daily check is of all that is watched"
        )
    _daily(ctx, name, dataset=dataset, findings=findings)


def _span(
    ctx: click.Context,
    name: str,
    *,
    version: str | None,
    dataset: str | None,
    start: datetime,
    end: datetime,
    findings: bool,
) -> None:
    from ordinis_learn.use_cases.drift import check_model_drift  # noqa: PLC0415

    with opened(ctx) as engine:
        began = engine.workbench.clock()
        report = check_model_drift(
            engine.workbench, name, version=version, dataset=dataset, start=start.date(), end=end.date()
        )
    if report.created_at < began:
        click.echo(f"found: this window was checked at {report.created_at:%Y-%m-%d %H:%M}Z")
    _show(report, findings=findings)


def _daily(ctx: click.Context, name: str | None, *, dataset: str | None, findings: bool) -> None:
    from ordinis_learn.use_cases.drift_daily import run_daily_drift  # noqa: PLC0415
    from ordinis_learn.use_cases.respond import carry_out_orders  # noqa: PLC0415

    with opened(ctx) as engine:
        done = run_daily_drift(engine.workbench, name=name, dataset=dataset)
        orders = carry_out_orders(engine.workbench)
        still = engine.workbench.alerts.alerts()
    if not done:
        click.echo("nothing is active or in shadow; next: ordinis-learn models list")
    for check in done:
        click.echo(f"{check.model} v{check.version}  {check.session or '-'}  {check.outcome}: {check.said}")
        if check.report is not None and (check.report.breached or findings):
            _show(check.report, findings=findings)
    for order in orders:
        click.echo(f"{order.model} v{order.version}: {order.action}: {order.outcome}")
    if still:
        click.echo(f"{len(still)} alerts are open; next: ordinis-learn alerts list")
    if any(check.outcome == "failed" for check in done):
        ctx.exit(1)


def _show(report: DriftReport, *, findings: bool) -> None:
    shown = [finding for finding in report.findings if findings or finding.severity != "none"]
    for finding in sorted(shown, key=lambda found: -found.value):
        click.echo(
            f"{finding.severity:<9} {finding.feature:<18} {finding.metric:<12} {finding.value:8.4f}  "
            f"null {finding.threshold:.4f}  q={finding.q_value:.3f}"
        )
    verdict = "BREACHED" if report.breached else "no breach"
    click.echo(f"{verdict}: {len(report.findings)} findings, {len(shown)} shown")
