"""``ordinis-learn loop``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command


@learn_command("loop", example="ordinis-learn loop --seed 7")
@click.option(
    "--seed", default=7, show_default=True, type=click.IntRange(0), help="Of fills, windows, folds and trees."
)
@click.option("--trials", default=8, show_default=True, type=click.IntRange(1), help="Optuna trials.")
@click.option(
    "--rounds",
    default=200,
    show_default=True,
    type=click.IntRange(1),
    help="At most this many boosting rounds.",
)
@click.pass_context
def command(ctx: click.Context, seed: int, trials: int, rounds: int) -> None:
    """Run the governed loop on real prices, end to end.

    Prices are real (20 stocks, 1990-2022), the desk that trades them is simulated. A refused model is a
    result, not an error: the exit status is 0.
    """
    from ordinis_learn.loop import LoopPlan, run_loop  # noqa: PLC0415

    overrides = dict(ctx.find_root().obj or {})
    run_loop(LoopPlan(seed=seed, trials=trials, rounds=rounds), **overrides)
