"""``ordinis-learn train``."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from ordinis_learn.cli.command import learn_command, opened

_OPTIONS = {"horizon_sessions": ("horizon",), "train_until": ("until",), "monotone": ("rising", "falling")}
"""The options behind a field, where they are called otherwise."""


@learn_command(
    "train",
    example="ordinis-learn train --name sp500_signal --dataset sp500_core --until 2006-12-29",
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="A YAML file with the fields of the configuration; flags that are typed win over it.",
)
@click.option("--name", default="sp500_signal", show_default=True, help="The registered model.")
@click.option(
    "--model",
    type=click.Choice(["xgboost", "torch", "sequence", "rule"]),
    default="xgboost",
    show_default=True,
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
@click.option(
    "--objective",
    type=click.Choice(["return", "binary", "three_class"]),
    default="return",
    show_default=True,
    help="Fit the return, or the class of its direction with calibrated probabilities.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where it is fitted; a GPU that is not there is refused.",
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    file: Path | None,
    name: str,
    model: str,
    dataset: str | None,
    horizon: int,
    until: str | None,
    seed: int,
    rounds: int,
    rising: tuple[str, ...],
    falling: tuple[str, ...],
    objective: str,
    device: str,
) -> None:
    """Train a model and register it as a candidate."""
    config: dict[str, object] = {
        "name": name,
        "model": model,
        "dataset": dataset,
        "horizon_sessions": horizon,
        "train_until": until,
        "seed": seed,
        "rounds": rounds,
        "objective": objective,
        "device": device,
        "monotone": dict.fromkeys(rising, 1) | dict.fromkeys(falling, -1),
    }
    if file is not None:
        config = _from_file(ctx, file, flags=config)
    with opened(ctx) as engine:
        artifact = engine.train({key: value for key, value in config.items() if value is not None})
    click.echo(f"{artifact.name} v{artifact.version} is a CANDIDATE ({artifact.artifact_id})")
    click.echo(f"run {artifact.run_id}, sha256 {artifact.artifact_sha256}")


def _from_file(ctx: click.Context, file: Path, *, flags: dict[str, object]) -> dict[str, object]:
    """Return the file's fields, with what was typed in their place."""
    from ordinis_learn.use_cases.config_file import read_config_file  # noqa: PLC0415

    def typed(field: str) -> bool:
        options = _OPTIONS.get(field, (field,))
        return any(ctx.get_parameter_source(one) is ParameterSource.COMMANDLINE for one in options)

    return read_config_file(file) | {field: value for field, value in flags.items() if typed(field)}
