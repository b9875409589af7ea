"""``ordinis-learn models``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command("models", example="ordinis-learn models")
@click.pass_context
def command(ctx: click.Context) -> None:
    """List versions, their states and who is active."""
    with opened(ctx) as engine:
        bench = engine.workbench
        artifacts = bench.catalogue.artifacts()
        if not artifacts:
            click.echo("no model is registered yet; next: ordinis-learn train --help")
        for artifact in artifacts:
            state = bench.registry.state(artifact.name, artifact.version)
            click.echo(
                f"{artifact.name} v{artifact.version}  {state.value:<9}  {artifact.artifact_id}  "
                f"data {artifact.data_snapshot_ref}  sha256 {artifact.artifact_sha256[:12]}"
            )
