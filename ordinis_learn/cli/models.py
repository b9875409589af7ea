"""``ordinis-learn models``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@click.group("models", invoke_without_command=True, epilog="Example: ordinis-learn models")
@click.pass_context
def command(ctx: click.Context) -> None:
    """List versions, their states and who is active."""
    if ctx.invoked_subcommand is None:
        listing = command.commands["list"]
        with listing.make_context("list", [], parent=ctx) as child:
            listing.invoke(child)


@command.add_command
@learn_command("list", example="ordinis-learn models list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List versions and their states; the same as without a command."""
    from ordinis_learn.use_cases.in_use import unknown_versions  # noqa: PLC0415

    with opened(ctx) as engine:
        bench = engine.workbench
        artifacts = bench.catalogue.artifacts()
        unknown = unknown_versions(bench)
        if not artifacts and not unknown:
            click.echo("no model was trained here, and none is in use; next: ordinis-learn train --help")
        for artifact in artifacts:
            state = bench.registry.state(artifact.name, artifact.version)
            click.echo(
                f"{artifact.name} v{artifact.version}  {state.value:<9}  {artifact.artifact_id}  "
                f"data {artifact.data_snapshot_ref}  sha256 {artifact.artifact_sha256[:12]}"
            )
        for (name, version), state in sorted(unknown.items()):
            click.echo(
                f"{name} v{version}  {state.value:<9}  not in the catalogue; next: ordinis-learn models adopt {name} {version}"
            )


@command.add_command
@learn_command("adopt", example="ordinis-learn models adopt sp500_signal 3")
@click.argument("name")
@click.argument("version")
@click.pass_context
def adopt_(ctx: click.Context, name: str, version: str) -> None:
    """Make a version known that a stock MLflow client registered, from its training statement: its drift is checked then."""
    from ordinis_learn.use_cases.adopt import adopt  # noqa: PLC0415

    with opened(ctx) as engine:
        adopted = adopt(engine.workbench, name, version)
    click.echo(f"{adopted.name} v{adopted.version} is known as {adopted.artifact_id}")


@command.add_command
@learn_command("prune", example="ordinis-learn models prune --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would go and what stays, and why.")
@click.pass_context
def prune(ctx: click.Context, *, dry_run: bool) -> None:
    """Remove the bytes of retired versions beyond LEARN_RETIRED_MODELS_KEPT per model type.

    The ledger records each. Rows, tags, evidence and scorecards stay. Exits with 1 where one could not be pruned.
    """
    from ordinis_learn.errors import LearnError  # noqa: PLC0415
    from ordinis_learn.use_cases import prune as retention  # noqa: PLC0415

    failed = False
    with opened(ctx) as engine:
        found = retention.plan(engine.workbench)
        if not found:
            click.echo("no version is retired: there is nothing to prune")
        for one in found:
            if not one.goes:
                click.echo(f"{one.name} v{one.version}  stays: {one.kept}")
            elif dry_run:
                click.echo(f"{one.name} v{one.version}  would go")
        for one, done in [] if dry_run else retention.prune(engine.workbench, found):
            failed |= isinstance(done, LearnError)
            if done is None or isinstance(done, LearnError):
                said = str(done or "nothing was left of it")
            else:
                said = f"pruned: {done.body['files']} files, {done.body['bytes']} bytes"
            click.echo(f"{one.name} v{one.version}  {said}")
    if failed:
        ctx.exit(1)


@command.add_command
@learn_command("hold", example="ordinis-learn models hold sp500_signal 3 --reason 'inquiry 2026-14'")
@click.argument("name")
@click.argument("version")
@click.option("--reason", required=True, help="Kept in the ledger.")
@click.pass_context
def hold(ctx: click.Context, name: str, version: str, reason: str) -> None:
    """Place a legal hold: the version's bytes are not pruned until it is released."""
    with opened(ctx) as engine:
        engine.workbench.registry.hold(name, version, reason=reason)
    click.echo(f"{name} v{version} is on hold")


@command.add_command
@learn_command("release", example="ordinis-learn models release sp500_signal 3 --reason 'inquiry closed'")
@click.argument("name")
@click.argument("version")
@click.option("--reason", required=True, help="Kept in the ledger.")
@click.pass_context
def release(ctx: click.Context, name: str, version: str, reason: str) -> None:
    """Release a legal hold."""
    with opened(ctx) as engine:
        engine.workbench.registry.release(name, version, reason=reason)
    click.echo(f"{name} v{version} is released")
