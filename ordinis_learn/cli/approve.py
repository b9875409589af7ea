"""``ordinis-learn approve``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command(
    "approve", example="ordinis-learn approve sp500_signal 1 --as model-risk --comment 'read the dossier'"
)
@click.argument("name")
@click.argument("version")
@click.option(
    "--as", "identity", required=True, help="The identity whose key signs; it needs the role approver."
)
@click.option("--comment", default="", help="Kept with the answer, for ever.")
@click.option("--refuse", is_flag=True, help="Answer no; that blocks until the same identity approves.")
@click.option("--target", default="active", show_default=True, help="The stage the answer is about.")
@click.pass_context
def command(
    ctx: click.Context, name: str, version: str, identity: str, comment: str, *, refuse: bool, target: str
) -> None:
    """Answer a promotion request as a named identity.

    The answer is signed and bound to the evidence as it stands: new evidence voids it.
    """
    from ordinis_learn.rollout.states import parse_stage  # noqa: PLC0415
    from ordinis_learn.use_cases.approve import answer_request  # noqa: PLC0415

    with opened(ctx) as engine:
        approval = answer_request(
            engine.workbench,
            engine.workbench.registry.reference(name, version),
            target=parse_stage(target),
            answer="refuse" if refuse else "approve",
            identity=identity,
            comment=comment,
        )
    if approval.answer == "approve":
        click.echo(f"{approval.approver} approved; the answer holds until {approval.expires_at:%Y-%m-%d}")
    else:
        click.echo(f"{approval.approver} refused; that stands until the same identity approves")
    click.echo(f"evidence {approval.evidence_hash}")
