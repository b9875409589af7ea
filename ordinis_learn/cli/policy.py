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

    settings = load_settings(**dict(ctx.find_root().obj or {}))
    policy = load_policy(policy_id or settings.gov_policy_version, settings=settings)
    click.echo(describe_policy(policy))


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
    """Judge every past decision by a file's policy; say which would have been another."""
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
