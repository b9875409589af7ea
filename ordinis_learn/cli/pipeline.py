"""``ordinis-learn pipeline``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command(
    "pipeline",
    example="ordinis-learn pipeline --start 1991-01-02 --end 2006-12-29 --trials 8 --request shadow",
)
@click.option("--name", default="sp500_signal", show_default=True, help="The registered model.")
@click.option(
    "--model", type=click.Choice(["xgboost", "torch", "sequence"]), default="xgboost", show_default=True
)
@click.option("--dataset", default="sp500_core", show_default=True, help="The dataset's id.")
@click.option("--start", required=True, help="First session of the dataset.")
@click.option("--end", required=True, help="Last session of the dataset.")
@click.option("--until", help="Train only on labels that end on or before this session.")
@click.option("--trials", default=0, show_default=True, type=click.IntRange(0), help="0 searches nothing.")
@click.option("--rounds", default=300, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0))
@click.option("--pack", "packs", multiple=True, help="A benchmark pack, again for more (LEARN_EVAL_PACKS).")
@click.option(
    "--request",
    type=click.Choice(["none", "shadow", "active"]),
    default="none",
    show_default=True,
    help="The stage to ask the gate for at the end.",
)
@click.option(
    "--requested", is_flag=True, help="Answer the oldest request of the response policy to train it."
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str,
    model: str,
    dataset: str,
    start: str,
    end: str,
    until: str | None,
    trials: int,
    rounds: int,
    seed: int,
    packs: tuple[str, ...],
    request: str,
    requested: bool,
) -> None:
    """Build, train, judge and ask, in one run.

    What is there with the same hashes is not done again, so a pipeline that was cut off goes on where it was. A refusal of
    the gate is an answer, not an error: it is told with its reasons, and the exit status is 0.
    """
    train = {"name": name, "model": model, "train_until": until, "trials": trials}
    config = {
        "dataset_id": dataset,
        "window": {"start": start, "end": end},
        "train": {key: value for key, value in train.items() if value is not None}
        | {"rounds": rounds, "seed": seed},
        "packs": packs or None,
        "request": None if request == "none" else request,
    }
    from ordinis_learn.use_cases.respond import finish_retrain_request, retrain_request  # noqa: PLC0415

    with opened(ctx) as engine:
        asked = retrain_request(engine.workbench, name) if requested else None
        report = engine.pipeline(config)
        if asked is not None:
            finish_retrain_request(
                engine.workbench, asked, version=report["version"], run_id=report["run_id"]
            )
    for stage in report["stages"]:
        click.echo(f"{stage['name']}: {stage['outcome']}: {stage['said']}")
    click.echo(f"{report['name']} v{report['version']}, run {report['run_id']}")
