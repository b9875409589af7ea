"""``ordinis-learn keys``."""

from __future__ import annotations

from pathlib import Path

import click

from ordinis_learn.cli.command import learn_command, opened

_ROLES = click.Choice(["trainer", "evaluator", "shadow_runner", "approver", "witness"])
_ROLE = click.option(
    "--role", "roles", multiple=True, required=True, type=_ROLES, help="May be given more than once."
)
_GROUP = click.option(
    "--group", "groups", multiple=True, help="A title that a policy may ask for, e.g. risk; more than once."
)


@click.group("keys", epilog="Example: ordinis-learn keys create model-risk --role approver")
def command() -> None:
    """Create signing keys and trust them in roles."""


@command.add_command
@learn_command("create", example="ordinis-learn keys create model-risk --role approver --group risk")
@click.argument("name")
@_ROLE
@_GROUP
@click.pass_context
def create(ctx: click.Context, name: str, roles: tuple[str, ...], groups: tuple[str, ...]) -> None:
    """Make an Ed25519 key and trust it: a file of mode 0600, or in the keyring (ORDINIS_KEY_STORE)."""
    from ordinis_learn.records import Actor, Role  # noqa: PLC0415
    from ordinis_learn.use_cases.sign import create_identity  # noqa: PLC0415

    with opened(ctx) as engine:
        bench = engine.workbench
        actor = Actor(name=bench.settings.actor, kind="claimed")
        create_identity(bench, name, roles=tuple(Role(role) for role in roles), groups=groups, actor=actor)
        shown = ", ".join((*roles, *groups))
        click.echo(f"{name} is trusted as {shown}; its key lies in {bench.keys.place}")


@command.add_command
@learn_command("trust", example="ordinis-learn keys trust model-risk --public-key risk.pem --role approver")
@click.argument("name")
@click.option(
    "--public-key",
    "path",
    required=True,
    type=click.Path(path_type=Path),
    help="An Ed25519 public key in PEM, from keys show NAME --pem.",
)
@_ROLE
@_GROUP
@click.pass_context
def trust(ctx: click.Context, name: str, path: Path, roles: tuple[str, ...], groups: tuple[str, ...]) -> None:
    """Trust a key that was made elsewhere; its private half never comes here."""
    from ordinis_learn.records import Actor, Role  # noqa: PLC0415
    from ordinis_learn.rollout.keys import describe, read_public_key  # noqa: PLC0415

    with opened(ctx) as engine:
        bench = engine.workbench
        trusted = describe(
            read_public_key(name, path),
            roles=[Role(role) for role in roles],
            groups=groups,
            clock=bench.clock,
        )
        bench.identities.trust(trusted, actor=Actor(name=bench.settings.actor, kind="claimed"))
    click.echo(f"{name} is trusted as {', '.join((*roles, *groups))}; key {trusted.key_id[:16]}")


@command.add_command
@learn_command("rotate", example="ordinis-learn keys rotate model-risk --reason 'yearly'")
@click.argument("name")
@click.option("--reason", default="", help="Kept in the ledger.")
@click.pass_context
def rotate(ctx: click.Context, name: str, reason: str) -> None:
    """Replace a key; what the old one signed and was accepted goes on counting.

    For a key that others may have seen, revoke it instead: a retired key is still believed about the past.
    """
    from ordinis_learn.records import Actor  # noqa: PLC0415
    from ordinis_learn.use_cases.sign import rotate_identity  # noqa: PLC0415

    with opened(ctx) as engine:
        actor = Actor(name=engine.workbench.settings.actor, kind="claimed")
        retired = rotate_identity(engine.workbench, name, actor=actor, reason=reason)
    click.echo(f"{name} signs with a new key; {retired.key_id[:16]} is retired")


@command.add_command
@learn_command("revoke", example="ordinis-learn keys revoke model-risk --reason 'left the desk'")
@click.argument("name")
@click.option("--reason", required=True, help="Kept in the ledger.")
@click.option(
    "--key", "key_id", default="", help="The beginning of a retired key's id (default: the current)."
)
@click.pass_context
def revoke(ctx: click.Context, name: str, reason: str, key_id: str) -> None:
    """Stop trusting a key, whatever it signed and when.

    Its approvals are void, its refusals stand until the same name answers with a new key, and other evidence
    that it signed must be signed anew.
    """
    from ordinis_learn.records import Actor  # noqa: PLC0415

    with opened(ctx) as engine:
        bench = engine.workbench
        actor = Actor(name=bench.settings.actor, kind="claimed")
        revoked = bench.identities.revoke(name, actor=actor, reason=reason, key_id=key_id)
    click.echo(f"key {revoked.key_id[:16]} of {name} is revoked")


@command.add_command
@learn_command("show", example="ordinis-learn keys show model-risk --pem")
@click.argument("name")
@click.option("--pem", is_flag=True, help="Print the public key of this machine's key file, for keys trust.")
@click.pass_context
def show(ctx: click.Context, name: str, *, pem: bool) -> None:
    """Show every key a name has had, or the public half of the one on this machine."""
    from ordinis_learn.errors import ConfigInvalid  # noqa: PLC0415
    from ordinis_learn.rollout.keys import public_pem  # noqa: PLC0415

    with opened(ctx) as engine:
        bench = engine.workbench
        if pem:
            click.echo(public_pem(bench.keys.public(name)), nl=False)
            return
        found = [entry for entry in bench.identities.identities() if entry.name == name]
    if not found:
        raise ConfigInvalid(
            f"show the keys of {name!r}",
            found="no key has this name",
            next_step="ordinis-learn keys list",
        )
    for entry in found:
        click.echo(f"{entry.key_id}  {_status(entry)}  {', '.join((*entry.roles, *entry.groups))}")
        click.echo(f"  public key {entry.public_key}, trusted since {entry.trusted_since:%Y-%m-%d %H:%M:%S}Z")


@command.add_command
@learn_command("list", example="ordinis-learn keys list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List trusted, retired and revoked identities."""
    with opened(ctx) as engine:
        for entry in engine.workbench.identities.identities():
            powers = ", ".join((*entry.roles, *entry.groups))
            click.echo(f"{entry.name:<20} {_status(entry):<20} {powers}  {entry.key_id[:16]}")


def _status(entry: object) -> str:
    for word in ("revoked", "retired"):
        moment = getattr(entry, f"{word}_at")
        if moment is not None:
            return f"{word} {moment:%Y-%m-%d}"
    return "trusted"
