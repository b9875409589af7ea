"""``ordinis-learn policy``."""

from __future__ import annotations

from pathlib import Path

import click

from ordinis_learn.cli.command import learn_command, opened

_FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group("policy", epilog="Example: ordinis-learn policy show")
def command() -> None:
    """Show the policy, check another one, try it on past decisions."""


@command.add_command
@learn_command("show", example="ordinis-learn policy show")
@click.argument("policy_id", required=False)
@click.pass_context
def show(ctx: click.Context, policy_id: str | None) -> None:
    """Print what each rule asks for, settings filled in (default: the policy that decides)."""
    from ordinis_learn.rollout.policy import load_policy  # noqa: PLC0415
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.use_cases.policies import describe_policy  # noqa: PLC0415
    from ordinis_learn.wiring import policy_book  # noqa: PLC0415

    settings = load_settings(**dict(ctx.find_root().obj or {}))
    if policy_id is None:
        choice = policy_book(settings).choice(settings.gov_policy_version)
        policy_id = choice.policy_id
        click.echo(f"{policy_id} decides ({choice.why})", err=True)
    click.echo(describe_policy(load_policy(policy_id, settings=settings)))


@command.add_command
@learn_command(
    "new", example="ordinis-learn policy new team_v1 --names 'fraud_*' --metric val_auc --at-least 0.8"
)
@click.argument("policy_id")
@click.option("--names", multiple=True, required=True, help="Which models: a shell pattern; may be repeated.")
@click.option("--metric", help="A metric of the MLflow run that a version was registered from.")
@click.option("--at-least", type=float, help="What it must reach where more is better.")
@click.option("--at-most", type=float, help="What it may reach where less is better.")
@click.option(
    "--better-by",
    type=click.FloatRange(min=0.0),
    default=0.0,
    show_default=True,
    help="By how much it must beat the active version's.",
)
@click.option(
    "--approvals", type=click.IntRange(min=1), default=1, show_default=True, help="How many say yes."
)
@click.pass_context
def new(
    ctx: click.Context,
    policy_id: str,
    *,
    names: tuple[str, ...],
    metric: str | None,
    at_least: float | None,
    at_most: float | None,
    better_by: float,
    approvals: int,
) -> None:
    """Begin a policy for models of any MLflow project: a metric of the run, and approvals.

    It asks for no evidence of ours. Nothing is decided by it before it is adopted.
    """
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.use_cases.new_policy import Bound, begin_policy  # noqa: PLC0415

    if metric is None and (at_least is not None or at_most is not None):
        raise click.UsageError("--at-least and --at-most are about a --metric NAME")
    bound = metric and Bound(metric=metric, at_least=at_least, at_most=at_most, better_by=better_by)
    path, _policy = begin_policy(
        policy_id,
        names=names,
        bound=bound or None,
        approvals=approvals,
        settings=load_settings(**dict(ctx.find_root().obj or {})),
    )
    click.echo(str(path))
    click.echo(f"read it, then let it decide: ordinis-learn policy adopt {policy_id} --reason WHY")


@command.add_command
@learn_command("adopt", example="ordinis-learn policy adopt gov_v3 --reason 'paired tests for prompt packs'")
@click.argument("policy_id")
@click.option("--reason", required=True, help="Kept in the ledger.")
@click.pass_context
def adopt(ctx: click.Context, policy_id: str, reason: str) -> None:
    """Let a policy decide from now on, and record that in the ledger.

    A registry keeps the packaged policy that decided first in it until then. Servers follow when they start the next
    time; GOV_POLICY_VERSION goes before it.
    """
    from ordinis_learn.records import Actor  # noqa: PLC0415
    from ordinis_learn.rollout.policy import load_policy  # noqa: PLC0415
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.wiring import policy_book  # noqa: PLC0415

    settings = load_settings(**dict(ctx.find_root().obj or {}))
    policy = load_policy(policy_id, settings=settings)
    actor = Actor(name=settings.actor, kind="claimed")
    record = policy_book(settings).adopt(policy, actor=actor, reason=reason)
    click.echo(
        f"{policy_id} decides from now on, before it {record.body['before']} did; record {record.sequence} of *"
    )
    if settings.gov_policy_version not in {None, policy_id}:
        click.echo(
            f"but GOV_POLICY_VERSION={settings.gov_policy_version} is set and goes before it: unset it"
        )


@command.add_command
@learn_command("check", example="ordinis-learn policy check policies/desk_v2.yaml")
@_FILE
@click.pass_context
def check(ctx: click.Context, file: Path) -> None:
    """Say whether a file is a policy; the file's name is its policy_id."""
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.use_cases.policies import read_policy_file  # noqa: PLC0415

    settings = load_settings(**dict(ctx.find_root().obj or {}))
    policy = read_policy_file(file, settings=settings)
    click.echo(f"{policy.policy_id} can decide; its hash with today's settings is {policy.policy_hash}")


@command.add_command
@learn_command("what-if", example="ordinis-learn policy what-if policies/desk_v2.yaml")
@_FILE
@click.pass_context
def what_if(ctx: click.Context, file: Path) -> None:
    """Judge every past decision by a file's policy, or a packaged one by its id; say which would have been another."""
    from ordinis_learn.use_cases.policies import read_policy_file  # noqa: PLC0415
    from ordinis_learn.use_cases.policies import what_if as judged  # noqa: PLC0415

    with opened(ctx) as engine:
        policy = read_policy_file(file, settings=engine.workbench.settings)
        replayed = judged(engine.workbench, policy)
    changed = [one for one in replayed if one.outcome == "differs"]
    for one in (*changed, *(one for one in replayed if one.outcome == "not_recorded")):
        click.echo(str(one))
    click.echo(
        f"{len(changed)} of {len(replayed)} decisions would have been another under {policy.policy_id}"
    )
