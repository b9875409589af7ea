"""``ordinis-learn packs``."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from ordinis_learn.cli.command import learn_command, opened


@click.group("packs", epilog="Example: ordinis-learn packs generate --end 2021-12-31")
def command() -> None:
    """Generate benchmark packs from captured bars, draw question packs from answers."""


@command.add_command
@learn_command("generate", example="ordinis-learn packs generate --end 2021-12-31 --seed 7")
@click.option("--pack", "pack_id", default="bench_core_v1", show_default=True)
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Last session (default: the newest captured).")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0))
@click.option(
    "--symbol", "symbols", multiple=True, help="Of the universe; may be given often (default: all)."
)
@click.option(
    "--strictness",
    type=click.Choice(["fail", "drop"]),
    help="What to do with a symbol that lacks bars (default: BENCH_STRICTNESS).",
)
@click.pass_context
def generate(
    ctx: click.Context,
    *,
    pack_id: str,
    end: date | None,
    seed: int,
    symbols: tuple[str, ...],
    strictness: str | None,
) -> None:
    """Draw windows, tag regimes, add stress periods, and write the pack."""
    from ordinis_learn.use_cases.generate_pack import generate_bench_pack, pack_spec  # noqa: PLC0415

    with opened(ctx) as engine:
        spec = pack_spec(
            engine.workbench.settings,
            pack_id=pack_id,
            seed=seed,
            end=end,
            symbols=symbols,
            strictness=strictness,
        )
        manifest = generate_bench_pack(engine.workbench, spec)
    stress = sum(window.stress is not None for window in manifest.windows)
    click.echo(f"{manifest.pack_id}: {len(manifest.windows)} windows, {stress} of them stress periods")
    for name, why in manifest.dropped_symbols.items():
        click.echo(f"left out {name}: {why}")
    click.echo(f"{manifest.start} to {manifest.end}, sha256 {manifest.manifest_hash}")


@command.add_command
@learn_command("questions", example="ordinis-learn packs questions answers_2026 --task synthesize_research")
@click.argument("dataset")
@click.option("--pack", "pack_id", default="prompt_eval_v1", show_default=True)
@click.option("--task", required=True, help="The prompt pack's task that is asked.")
@click.option("--variable", default="query", show_default=True, help="Its variable that takes the query.")
@click.option(
    "--documents",
    type=click.Path(path_type=Path),
    help="Texts of the documents, JSON lines of {doc_id, locator, text}; a live model reads them.",
)
@click.pass_context
def questions(
    ctx: click.Context, dataset: str, *, pack_id: str, task: str, variable: str, documents: Path | None
) -> None:
    """Draw questions for prompt packs from a dataset of kind rag_eval."""
    from ordinis_learn.use_cases.draw_questions import draw_question_pack  # noqa: PLC0415

    with opened(ctx) as engine:
        drawn = draw_question_pack(
            engine.workbench, dataset, pack_id=pack_id, task=task, variable=variable, documents=documents
        )
    manifest = drawn.manifest
    click.echo(
        f"{manifest.pack_id}: {manifest.items} questions, {manifest.documents} documents, {drawn.graded} questions graded"
    )
    click.echo(
        f"{drawn.groups} groups of questions that lean on the same documents: a rate can be shown not to be worse by "
        f"{drawn.least_margin:.3f} at best"
    )
    click.echo(f"from {manifest.source_ref}, sha256 {manifest.items_sha256}")
