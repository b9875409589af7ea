"""``ordinis-learn ledger``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from ordinis_learn.cli.command import learn_command, opened


@click.group("ledger", epilog="Example: ordinis-learn ledger verify")
def command() -> None:
    """Verify the ledger, read its history."""


@command.add_command
@learn_command("verify", example="ordinis-learn ledger verify --against git:../audit")
@click.option("--against", metavar="TARGET", help="Checkpoints to compare with: file, file:PATH or git:PATH.")
@click.pass_context
def verify(ctx: click.Context, against: str | None) -> None:
    """Recompute every hash, compare with every checkpoint; name what does not hold and exit with 1."""
    from ordinis_learn.errors import AuditChainBroken  # noqa: PLC0415

    _aim(ctx, against)
    with opened(ctx) as engine:
        faults = engine.workbench.ledger.verify()
        count = engine.workbench.ledger.checkpoints()
        target = engine.workbench.settings.ledger_checkpoint_target
    if faults:
        raise AuditChainBroken(
            "verify the ledger",
            found="; ".join(faults),
            next_step="stop promotions, restore the database from a backup, compare it with the checkpoints",
            faults=list(faults),
        )
    click.echo(f"the ledger verifies, also against {count} checkpoints ({target})")


@command.add_command
@learn_command("reconcile", example="ordinis-learn ledger reconcile --repair")
@click.option("--repair", is_flag=True, help="Put stages, aliases and tags back to what the ledger says.")
@click.pass_context
def reconcile(ctx: click.Context, *, repair: bool) -> None:
    """Compare ledger, stages, aliases, tags and artifacts; exit with 1 when they disagree.

    Each disagreement is recorded and announced once. The bytes of artifacts are never mended.
    """
    from ordinis_learn import wiring  # noqa: PLC0415  seconds of imports
    from ordinis_learn.settings import load_settings  # noqa: PLC0415

    settings = load_settings(**dict(ctx.find_root().obj or {}))
    found = wiring.reconcile(settings, repair=repair)
    left = wiring.reconcile(settings, repair=False) if found and repair else found
    for one in found:
        click.echo(str(one) if one in left else f"{one}: put back")
        if one in left:
            click.echo(f"  next: {one.next_step}")
    if left:
        ctx.exit(1)
    click.echo("ledger and registry agree")


@command.add_command
@learn_command("checkpoint", example="ordinis-learn ledger checkpoint --to git:../audit")
@click.option(
    "--to", metavar="TARGET", help="file, file:PATH, git:PATH or s3://… (LEDGER_CHECKPOINT_TARGET)."
)
@click.pass_context
def checkpoint(ctx: click.Context, to: str | None) -> None:
    """Sign all heads and keep them outside the database, for later verification."""
    from ordinis_learn.use_cases.checkpoint import write_checkpoint  # noqa: PLC0415

    _aim(ctx, to)
    with opened(ctx) as engine:
        made = write_checkpoint(engine.workbench)
        target = engine.workbench.settings.ledger_checkpoint_target
    click.echo(f"{made.size} records, root {made.root}, appended to {target}")
    click.echo("keep a copy where the database's owner cannot write")


@command.add_command
@learn_command("replay", example="ordinis-learn ledger replay")
@click.pass_context
def replay(ctx: click.Context) -> None:
    """Make every past decision again from recorded evidence and policy; exit with 1 where one differs."""
    from ordinis_learn.errors import AuditChainBroken  # noqa: PLC0415

    with opened(ctx) as engine:
        replayed = engine.workbench.ledger.replay()
    for one in replayed:
        click.echo(str(one))
    if differing := [str(one) for one in replayed if one.outcome == "differs"]:
        raise AuditChainBroken(
            "make past decisions again",
            found="; ".join(differing),
            next_step="ordinis-learn ledger verify; then compare with the release that decided",
            faults=differing,
        )
    identical = sum(one.outcome == "identical" for one in replayed)
    click.echo(f"{identical} of {len(replayed)} decisions made again, all identical")


@command.add_command
@learn_command("history", example="ordinis-learn ledger history sp500_signal --json")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One record a line, complete, as canonical JSON.")
@click.pass_context
def history(ctx: click.Context, name: str, *, as_json: bool) -> None:
    """Print what happened to a model, oldest first (``*`` for identities and checkpoints)."""
    from ordinis_learn.errors import ArtifactMissing  # noqa: PLC0415
    from ordinis_learn.use_cases.history import describe  # noqa: PLC0415

    with opened(ctx) as engine:
        records = engine.workbench.ledger.history(name)
        if not records and name != "*":
            raise ArtifactMissing(
                f"print what happened to {name!r}",
                found="the ledger of this home has no record of it",
                next_step="ordinis-learn models; the ledger of a server is beside its registry: there, export "
                "MLFLOW_REGISTRY_URI=ordinis+sqlite:///… or ordinis+postgresql://… first",
            )
        for record in records:
            click.echo(record.canonical().decode() if as_json else describe(record))


@command.add_command
@learn_command("active-at", example="ordinis-learn ledger active-at sp500_signal 2026-01-31T16:00:00+00:00")
@click.argument("name")
@click.argument("moment")
@click.pass_context
def active_at(ctx: click.Context, name: str, moment: str) -> None:
    """Say which version was active at a moment (ISO 8601 with an offset)."""
    from ordinis_learn.errors import ConfigInvalid  # noqa: PLC0415

    try:
        asked = datetime.fromisoformat(moment)
    except ValueError:
        asked = datetime.min  # noqa: DTZ901  a naive value, refused below like any other
    if asked.tzinfo is None:
        raise ConfigInvalid(
            f"say what was active at {moment!r}",
            found="not an ISO 8601 moment with an offset",
            next_step="write it like 2026-01-31T16:00:00+00:00",
        )
    with opened(ctx) as engine:
        version = engine.workbench.ledger.active_at(name, asked.astimezone(UTC))
    click.echo(f"{name} v{version} was ACTIVE" if version else f"{name} was FLAT: nothing was active")


def _aim(ctx: click.Context, target: str | None) -> None:
    """Let an option win over LEDGER_CHECKPOINT_TARGET."""
    if target is not None:
        ctx.find_root().ensure_object(dict)["ledger_checkpoint_target"] = target
