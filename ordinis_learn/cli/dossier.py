"""``ordinis-learn dossier``."""

from __future__ import annotations

from pathlib import Path

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command("dossier", example="ordinis-learn dossier sp500_signal 1")
@click.argument("name")
@click.argument("version")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write (default: data/reports).")
@click.pass_context
def command(ctx: click.Context, name: str, version: str, folder: Path | None) -> None:
    """Write the evidence of a version as one HTML file, and JSON beside it."""
    from ordinis_learn.use_cases.dossier import write_dossier  # noqa: PLC0415

    with opened(ctx) as engine:
        path = write_dossier(engine.workbench, name, version, folder=folder)
    click.echo(str(path))
