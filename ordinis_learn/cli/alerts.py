"""``ordinis-learn alerts``."""

from __future__ import annotations

import json

import click

from ordinis_learn.cli.command import learn_command, opened


@click.group("alerts", epilog="Example: ordinis-learn alerts list")
def command() -> None:
    """List, show and acknowledge alerts, lift a cool-down; check that the monitor is alive."""


@command.add_command
@learn_command("list", example="ordinis-learn alerts list --all")
@click.option("--all", "closed", is_flag=True, help="Closed ones, too.")
@click.option("--model", help="Only those of one model.")
@click.option("--json", "as_json", is_flag=True, help="One alert a line, complete.")
@click.pass_context
def list_(ctx: click.Context, *, closed: bool, model: str | None, as_json: bool) -> None:
    """List alerts, oldest first."""
    with opened(ctx) as engine:
        found = engine.workbench.alerts.alerts(model, closed=closed)
        waiting = [one for one in engine.workbench.alerts.responses(pending=True) if one.outcome]
    if not found and not as_json:
        click.echo("no alert is open" if not closed else "there has been no alert")
    for alert in found:
        if as_json:
            click.echo(alert.canonical().decode())
            continue
        click.echo(
            f"{alert.alert_id[:12]}  {alert.severity:<8}  {alert.status:<12}  {alert.subject}  {alert.kind}  "
            f"×{alert.repeats}  since {alert.opened_at:%Y-%m-%d %H:%M}Z  {alert.summary}"
        )
        for response in waiting:
            if response.alert_id == alert.alert_id:
                click.echo(f"{'':12}  {response.action} {response.outcome}")


@command.add_command
@learn_command("show", example="ordinis-learn alerts show 4f0c2a")
@click.argument("alert")
@click.pass_context
def show(ctx: click.Context, alert: str) -> None:
    """Show an alert with everything that happened to it and what was ordered; the beginning of its id is enough."""
    with opened(ctx) as engine:
        book = engine.workbench.alerts
        found = book.alert(alert)
        facts = book.facts(found.alert_id)
        ordered = [
            one
            for one in (*book.responses(pending=True), *book.responses(pending=False))
            if one.alert_id == found.alert_id
        ]
    click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    for fact in facts:
        click.echo(f"{fact.at:%Y-%m-%d %H:%M:%S}Z  {fact.what:<12}  {fact.said}  by {fact.by}")
    for response in ordered:
        said = f": {response.outcome}" if response.outcome else ""
        click.echo(f"{response.action} {response.status}{said}  ({response.policy_id}, rule {response.rule})")
    click.echo(f"next: {found.runbook}")


@command.add_command
@learn_command(
    "acknowledge", example="ordinis-learn alerts acknowledge 4f0c2a --by ada --comment 'a split, not a shift'"
)
@click.argument("alert")
@click.option("--by", required=True, help="Who has it in hand; kept in the ledger as claimed.")
@click.option("--comment", required=True, help="Kept in the ledger.")
@click.pass_context
def acknowledge(ctx: click.Context, alert: str, *, by: str, comment: str) -> None:
    """Say that somebody has an alert in hand: it is not escalated any more. What it blocks stays blocked."""
    from ordinis_learn.use_cases.alerting import acknowledge_alert  # noqa: PLC0415

    with opened(ctx) as engine:
        done = acknowledge_alert(engine.workbench, alert, by=by, comment=comment)
    click.echo(f"{done.alert_id[:12]} acknowledged by {done.acknowledged_by}")


@command.add_command
@learn_command(
    "lift-cool-down",
    example="ordinis-learn alerts lift-cool-down sp500_signal --as model-risk --reason 'the feed is mended'",
)
@click.argument("name")
@click.option("--as", "identity", required=True, help="The approver whose key signs; it takes two.")
@click.option("--reason", required=True, help="Kept in the ledger.")
@click.pass_context
def lift(ctx: click.Context, name: str, *, identity: str, reason: str) -> None:
    """Sign for ending the cool-down after a rollback early; two people must.

    The gate decides about promotions as ever then, and an order to roll back that waited is carried out.
    """
    from ordinis_learn.use_cases.lift_cool_down import lift_cool_down  # noqa: PLC0415

    with opened(ctx) as engine:
        done = lift_cool_down(engine.workbench, name, identity=identity, reason=reason)
    click.echo(f"{identity} signed for lifting the cool-down of {name}, which lasts until {done.until[:19]}Z")
    click.echo(
        f"it is lifted, by {' and '.join(sorted(done.signers))}"
        if done.is_lifted
        else "it counts with the signature of a second approver; that of whoever asks for a promotion does not"
    )


@command.add_command
@learn_command("check", example="ordinis-learn alerts check")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Evaluate the dead-man's switch and the rest that needs no market data; escalate and deliver. For cron, or another host.

    Exits with 1 while an alert is open that nobody has acknowledged.
    """
    from ordinis_learn.use_cases.alert_check import check_alerts  # noqa: PLC0415

    with opened(ctx) as engine:
        result = check_alerts(engine.workbench)
    click.echo(result.said)
    for alert in result.unacknowledged:
        click.echo(
            f"{alert.alert_id[:12]}  {alert.severity:<8}  {alert.subject}  {alert.kind}  {alert.summary}"
        )
    if result.unacknowledged:
        ctx.exit(1)
