"""``ordinis-learn waive``."""

from __future__ import annotations

from datetime import timedelta

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command(
    "waive",
    example="ordinis-learn waive sp500_signal 2 delta_sharpe --as model-risk --reason 'index change' "
    "--control 'half the size' --days 7",
)
@click.argument("name")
@click.argument("version")
@click.argument("rule")
@click.option("--as", "identity", required=True, help="The approver whose key signs; it takes two.")
@click.option("--reason", required=True, help="Kept in the ledger.")
@click.option("--control", required=True, help="What is done in the rule's place.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--target", default="active", show_default=True, help="The stage it is about.")
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    version: str,
    rule: str,
    *,
    identity: str,
    reason: str,
    control: str,
    days: float,
    target: str,
) -> None:
    """Sign for setting one rule aside for a while; two people must.

    RULE is the name in a refusal, or break_glass for every rule that can be waived. The policy says how long either
    may last at most. New evidence voids it.
    """
    from ordinis_learn.rollout.states import parse_stage  # noqa: PLC0415
    from ordinis_learn.use_cases.waive import grant_waiver  # noqa: PLC0415

    with opened(ctx) as engine:
        grant = grant_waiver(
            engine.workbench,
            engine.workbench.registry.reference(name, version),
            rule=rule,
            target=parse_stage(target),
            identity=identity,
            reason=reason,
            control=control,
            valid=timedelta(days=days),
        )
    click.echo(f"{identity} signed the waiver of {rule} until {grant.expires_at:%Y-%m-%d %H:%M}Z at most")
    click.echo(
        "it counts with the signature of a second approver, who neither asks for the move nor trained it"
    )
