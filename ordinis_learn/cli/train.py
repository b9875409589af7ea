"""``ordinis-learn train``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command(
    "train",
    example="ordinis-learn train --name sp500_signal --dataset sp500_core --until 2006-12-29",
)
@click.option("--name", default="sp500_signal", show_default=True, help="The registered model.")
@click.option(
    "--model", type=click.Choice(["xgboost", "torch", "rule"]), default="xgboost", show_default=True
)
@click.option("--dataset", help="dataset_id or dataset_id@version; not for a rule.")
@click.option(
    "--horizon", default=5, show_default=True, type=click.IntRange(1), help="Forecast horizon in sessions."
)
@click.option("--until", help="Use only labels that end on or before this session.")
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0))
@click.option(
    "--rounds",
    default=300,
    show_default=True,
    type=click.IntRange(1),
    help="At most this many boosting rounds.",
)
@click.option(
    "--rising", multiple=True, help="A feature in which the forecast may only rise (xgboost); again for more."
)
@click.option("--falling", multiple=True, help="A feature in which it may only fall.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str,
    model: str,
    dataset: str | None,
    horizon: int,
    until: str | None,
    seed: int,
    rounds: int,
    rising: tuple[str, ...],
    falling: tuple[str, ...],
) -> None:
    """Train a model and register it as a candidate."""
    config = {
        "name": name,
        "model": model,
        "dataset": dataset,
        "horizon_sessions": horizon,
        "train_until": until,
        "seed": seed,
        "rounds": rounds,
        "monotone": dict.fromkeys(rising, 1) | dict.fromkeys(falling, -1),
    }
    with opened(ctx) as engine:
        artifact = engine.train({key: value for key, value in config.items() if value is not None})
    click.echo(f"{artifact.name} v{artifact.version} is a CANDIDATE ({artifact.artifact_id})")
    click.echo(f"run {artifact.run_id}, sha256 {artifact.artifact_sha256}")
