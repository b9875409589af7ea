"""``ordinis-learn tune``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command("tune", example="ordinis-learn tune --dataset sp500_core --trials 8 --until 2006-12-29")
@click.option("--name", default="sp500_signal", show_default=True, help="The registered model.")
@click.option(
    "--model", type=click.Choice(["xgboost", "torch", "sequence"]), default="xgboost", show_default=True
)
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
@click.option(
    "--folds", default=4, show_default=True, type=click.IntRange(1), help="Walk-forward folds of a trial."
)
@click.option(
    "--pruner",
    type=click.Choice(["median", "hyperband", "none"]),
    default="median",
    show_default=True,
    help="What ends a trial early.",
)
@click.option(
    "--at-once",
    default=1,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Trials that do not know of each other: so many workers can be busy.",
)
@click.option(
    "--objective",
    type=click.Choice(["return", "binary", "three_class"]),
    default="return",
    show_default=True,
    help="Fit the return, or the class of its direction with calibrated probabilities.",
)
@click.option("--resume", is_flag=True, help="There must be a study to go on with.")
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
    folds: int,
    pruner: str,
    at_once: int,
    objective: str,
    resume: bool,
) -> None:
    """Search training parameters, then train the best.

    Every trial is a nested run, so that the MLflow comparison page has something to compare. The number of trials
    travels with the artifact: the gate deflates the Sharpe ratio by it. A search that was cut off is gone on with when
    the same command is given again; --resume refuses to begin a new one instead, and with more --trials goes on with one
    that had been brought to its end.
    """
    config = {
        "name": name,
        "model": model,
        "dataset": dataset,
        "train_until": until,
        "trials": trials,
        "rounds": rounds,
        "seed": seed,
        "folds": folds,
        "pruner": pruner,
        "trials_at_once": at_once,
        "objective": objective,
    }
    with opened(ctx) as engine:
        artifact = engine.train(
            {key: value for key, value in config.items() if value is not None}, resume=resume
        )
    click.echo(f"{artifact.name} v{artifact.version} is a CANDIDATE after {artifact.trials} trials")
    click.echo(f"run {artifact.run_id}, sha256 {artifact.artifact_sha256}")
