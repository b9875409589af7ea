"""``ordinis-learn tune``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command("tune", example="ordinis-learn tune --dataset sp500_core --trials 8 --until 2006-12-29")
@click.option("--name", default="sp500_signal", show_default=True, help="The registered model.")
@click.option("--model", type=click.Choice(["xgboost", "torch"]), default="xgboost", show_default=True)
@click.option("--dataset", required=True, help="dataset_id or dataset_id@version.")
@click.option("--until", help="Use only labels that end on or before this session.")
@click.option(
    "--trials",
    default=8,
    show_default=True,
    type=click.IntRange(1),
    help="Models to try; all count at the gate.",
)
@click.option("--rounds", default=300, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0))
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str,
    model: str,
    dataset: str,
    until: str | None,
    trials: int,
    rounds: int,
    seed: int,
) -> None:
    """Search training parameters, then train the best.

    Every trial is a nested run, so that the MLflow comparison page has something to compare. The number of trials
    travels with the artifact: the gate deflates the Sharpe ratio by it.
    """
    config = {
        "name": name,
        "model": model,
        "dataset": dataset,
        "train_until": until,
        "trials": trials,
        "rounds": rounds,
        "seed": seed,
    }
    with opened(ctx) as engine:
        artifact = engine.train({key: value for key, value in config.items() if value is not None})
    click.echo(f"{artifact.name} v{artifact.version} is a CANDIDATE after {artifact.trials} trials")
    click.echo(f"run {artifact.run_id}, sha256 {artifact.artifact_sha256}")
