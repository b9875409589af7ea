"""``ordinis-learn datasets``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ordinis_learn.cli.command import learn_command, opened

if TYPE_CHECKING:
    from ordinis_learn.records import DatasetManifest


@click.group("datasets", epilog="Example: ordinis-learn datasets show sp500_core")
def command() -> None:
    """Build datasets and look at their manifests."""


@command.add_command
@learn_command("build", example="ordinis-learn datasets build sp500_core --start 1991-01-02 --end 2006-12-29")
@click.argument("dataset_id")
@click.option("--start", required=True, help="First session of signals (day of answers), e.g. 1991-01-02.")
@click.option("--end", required=True, help="Last session of signals (day of answers).")
@click.option(
    "--kind",
    type=click.Choice(["signal", "rag_eval"]),
    default="signal",
    show_default=True,
    help="Labelled signals, or answers of language models with what they retrieved.",
)
@click.option("--horizon", "horizons", multiple=True, type=int, default=(1, 5, 20), show_default=True)
@click.option("--symbol", "symbols", multiple=True, help="Only these symbols (default: all).")
@click.option("--as-of", help="Use only what was known then, e.g. 2007-01-02T21:00:00Z.")
@click.pass_context
def build(ctx: click.Context, /, *, dataset_id: str, **asked: Any) -> None:
    """Write a window of captured events as Parquet with a manifest."""
    window = {"horizons": list(asked.pop("horizons")), "symbols": asked.pop("symbols") or None, **asked}
    with opened(ctx) as engine:
        ref = engine.build_dataset(dataset_id, window)
        manifest = engine.workbench.catalogue.dataset(ref)
    click.echo(f"{ref}: {manifest.rows} rows, sha256 {manifest.content_sha256}")
    for line in _summary(manifest):
        click.echo(f"  {line}")


@command.add_command
@learn_command("show", example="ordinis-learn datasets show sp500_core")
@click.argument("ref")
@click.pass_context
def show(ctx: click.Context, ref: str) -> None:
    """Print a manifest as JSON."""
    with opened(ctx) as engine:
        click.echo(engine.workbench.catalogue.dataset(ref).model_dump_json(indent=2))


def _summary(manifest: DatasetManifest) -> list[str]:
    lines = [
        f"{name}: {stats.labelled} labelled, effective samples {stats.effective_samples:.0f}"
        for name, stats in manifest.label_stats.items()
    ]
    if manifest.left_out:
        lines.append("left out: " + ", ".join(f"{n} {reason}" for reason, n in manifest.left_out.items()))
    if manifest.validation.warnings:
        lines.append("warnings: " + ", ".join(manifest.validation.warnings))
    return lines
