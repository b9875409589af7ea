"""``ordinis-learn datasets``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ordinis_learn.cli.command import learn_command, opened

if TYPE_CHECKING:
    from ordinis_learn.datasets.difference import RowChanges
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
@click.option("--calendar", default="XNYS", show_default=True, help="What a session is, e.g. XLON or 24/7.")
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


@command.add_command
@learn_command("list", example="ordinis-learn datasets list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List every dataset, oldest first, with its verdict."""
    with opened(ctx) as engine:
        manifests = engine.workbench.catalogue.datasets()
    if not manifests:
        click.echo("no dataset was built yet; next: ordinis-learn datasets build --help")
    for manifest in manifests:
        verdict = "accepted" if manifest.validation.success else "rejected"
        click.echo(
            f"{manifest.ref}  {manifest.kind:<8}  {verdict}  {manifest.rows} rows  "
            f"{manifest.window.start}..{manifest.window.end}  built {manifest.created_at:%Y-%m-%d %H:%M}Z"
        )


@command.add_command
@learn_command("verify", example="ordinis-learn datasets verify sp500_core")
@click.argument("ref")
@click.pass_context
def verify(ctx: click.Context, ref: str) -> None:
    """Recompute every hash of a dataset on disk; exits with 1 where one does not hold."""
    from ordinis_learn.datasets.verification import verify_dataset  # noqa: PLC0415

    with opened(ctx) as engine:
        bench = engine.workbench
        manifest = bench.catalogue.dataset(ref)
        faults = verify_dataset(manifest, root=bench.settings.datasets_dir)
    for fault in faults:
        click.echo(fault)
    if faults:
        ctx.exit(1)
    click.echo(f"{manifest.ref} holds: {manifest.rows} rows, sha256 {manifest.content_sha256}")


@command.add_command
@learn_command("diff", example="ordinis-learn datasets diff sp500_core@1f0c sp500_core")
@click.argument("before")
@click.argument("after")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def diff(ctx: click.Context, before: str, after: str, *, as_json: bool) -> None:
    """Say what changed between two datasets; exits with 0 where nothing did, with 1 where something did.

    Windows, counts, schema, hashes, labels and profiles come from the manifests; rows are compared by key where both are
    on disk.
    """
    from ordinis_learn.use_cases.compare_datasets import compare_datasets  # noqa: PLC0415

    with opened(ctx) as engine:
        found = compare_datasets(engine.workbench, before, after)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        click.echo(f"--- {found.before}\n+++ {found.after}")
        for change in found.changes:
            click.echo(f"{change.field}: {change.before} -> {change.after}")
        click.echo(_row_line(found.rows))
    if not found.is_empty:
        ctx.exit(1)


@command.add_command
@learn_command("prune", example="ordinis-learn datasets prune --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would go and what stays, and why.")
@click.pass_context
def prune(ctx: click.Context, *, dry_run: bool) -> None:
    """Remove the rows of datasets older than LEARN_DATASET_RETENTION_DAYS that no model needs.

    The ledger records each. Manifests, hashes and reports stay for ever. Exits with 1 where one could not be pruned.
    """
    from ordinis_learn.errors import LearnError  # noqa: PLC0415
    from ordinis_learn.use_cases import dataset_retention  # noqa: PLC0415

    failed = False
    with opened(ctx) as engine:
        found = dataset_retention.plan(engine.workbench)
        if not found:
            click.echo("no dataset has rows here: there is nothing to prune")
        for one in found:
            if not one.goes:
                click.echo(f"{one.ref}  stays: {one.kept}")
            elif dry_run:
                click.echo(f"{one.ref}  would go: {one.bytes} bytes")
        for one, done in [] if dry_run else dataset_retention.prune(engine.workbench, found):
            failed |= isinstance(done, LearnError)
            said = str(done) if isinstance(done, LearnError) else f"pruned: {one.bytes} bytes"
            click.echo(f"{one.ref}  {said}")
    if failed:
        ctx.exit(1)


@command.add_command
@learn_command("hold", example="ordinis-learn datasets hold sp500_core --reason 'inquiry 2026-14'")
@click.argument("ref")
@click.option("--reason", required=True, help="Kept in the ledger.")
@click.pass_context
def hold(ctx: click.Context, ref: str, reason: str) -> None:
    """Place a legal hold: the dataset's rows are not pruned until it is released."""
    from ordinis_learn.use_cases import dataset_retention  # noqa: PLC0415

    with opened(ctx) as engine:
        dataset_retention.hold(engine.workbench, ref, reason=reason)
    click.echo(f"{ref} is on hold")


@command.add_command
@learn_command("release", example="ordinis-learn datasets release sp500_core --reason 'inquiry closed'")
@click.argument("ref")
@click.option("--reason", required=True, help="Kept in the ledger.")
@click.pass_context
def release(ctx: click.Context, ref: str, reason: str) -> None:
    """Release a legal hold."""
    from ordinis_learn.use_cases import dataset_retention  # noqa: PLC0415

    with opened(ctx) as engine:
        dataset_retention.release(engine.workbench, ref, reason=reason)
    click.echo(f"{ref} is released")


def _row_line(rows: RowChanges | None) -> str:
    if rows is None:
        return "rows: not compared (both must be on disk, of one kind)"
    columns = ", ".join(f"{name} {count}" for name, count in rows.columns.items())
    counts = f"rows: {rows.added} added, {rows.removed} removed, {rows.changed} changed"
    return f"{counts} ({columns})" if columns else counts


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
