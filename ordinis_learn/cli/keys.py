"""``ordinis-learn keys``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened

_ROLES = click.Choice(["trainer", "evaluator", "shadow_runner", "approver", "witness"])


@click.group("keys", epilog="Example: ordinis-learn keys create model-risk --role approver")
def command() -> None:
    """Create signing keys and trust them in roles."""


@command.add_command
@learn_command("create", example="ordinis-learn keys create model-risk --role approver")
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, required=True, type=_ROLES, help="May be given more than once."
)
@click.pass_context
def create(ctx: click.Context, name: str, roles: tuple[str, ...]) -> None:
    """Make an Ed25519 key (file mode 0600 under ORDINIS_HOME/keys) and trust it."""
    from ordinis_learn.records import Actor, Role  # noqa: PLC0415
    from ordinis_learn.use_cases.sign import create_identity  # noqa: PLC0415

    with opened(ctx) as engine:
        bench = engine.workbench
        actor = Actor(name=bench.settings.actor, kind="claimed")
        create_identity(bench, name, roles=tuple(Role(role) for role in roles), actor=actor)
        click.echo(f"{name} is trusted as {', '.join(roles)}; its key lies in {bench.settings.keys_dir}")


@command.add_command
@learn_command("list", example="ordinis-learn keys list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List trusted and revoked identities."""
    with opened(ctx) as engine:
        for entry in engine.workbench.identities.identities():
            status = f"revoked {entry.revoked_at:%Y-%m-%d}" if entry.revoked_at else "trusted"
            click.echo(f"{entry.name:<20} {status:<20} {', '.join(entry.roles)}  {entry.key_id[:16]}")
