"""``ordinis-learn datasets``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@click.group("datasets", epilog="Example: ordinis-learn datasets show sp500_core")
def command() -> None:
    """Build datasets and look at their manifests."""


@command.add_command
@learn_command("build", example="ordinis-learn datasets build sp500_core --start 1991-01-02 --end 2006-12-29")
@click.argument("dataset_id")
@click.option("--start", required=True, help="First session of signals, e.g. 1991-01-02.")
@click.option("--end", required=True, help="Last session of signals.")
@click.option("--horizon", "horizons", multiple=True, type=int, default=(1, 5, 20), show_default=True)
@click.option("--symbol", "symbols", multiple=True, help="Only these symbols (default: all).")
@click.option("--calendar", default="XNYS", show_default=True, help="What a session is, e.g. XLON or 24/7.")
@click.pass_context
def build(
    ctx: click.Context,
    *,
    dataset_id: str,
    start: str,
    end: str,
    horizons: tuple[int, ...],
    symbols: tuple[str, ...],
    calendar: str,
) -> None:
    """Label captured signals and write them as Parquet with a manifest."""
    window = {"start": start, "end": end, "horizons": list(horizons), "symbols": symbols or None}
    window["calendar"] = calendar
    with opened(ctx) as engine:
        ref = engine.build_dataset(dataset_id, window)
        manifest = engine.workbench.catalogue.dataset(ref)
    click.echo(f"{ref}: {manifest.rows} rows, sha256 {manifest.content_sha256}")
    for horizon, stats in sorted(manifest.label_stats.items(), key=lambda item: int(item[0][:-1])):
        click.echo(f"  {horizon}: {stats.labelled} labelled, effective samples {stats.effective_samples:.0f}")


@command.add_command
@learn_command("show", example="ordinis-learn datasets show sp500_core")
@click.argument("ref")
@click.pass_context
def show(ctx: click.Context, ref: str) -> None:
    """Print a manifest as JSON."""
    with opened(ctx) as engine:
        click.echo(engine.workbench.catalogue.dataset(ref).model_dump_json(indent=2))
