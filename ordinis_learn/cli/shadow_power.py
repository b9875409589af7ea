"""``ordinis-learn shadow power``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command

_DAYS = (20, 60, 250, 2500)
_GAINS = (-5.0, 0.0, 1.0, 2.0, 5.0, 10.0)


@learn_command("power", example="ordinis-learn shadow power --gain 2 --gain 5 --days 250")
@click.option(
    "--gain",
    "gains",
    type=float,
    multiple=True,
    help="True gain in hit rate, in percentage points. Repeatable; default: -5, 0, 1, 2, 5, 10.",
)
@click.option(
    "--days",
    type=click.IntRange(1),
    multiple=True,
    help="Sessions in shadow. Repeatable; default: 20, 60, 250, 2500.",
)
@click.option(
    "--spread",
    type=click.FloatRange(0, min_open=True),
    default=0.25,
    show_default=True,
    help="Standard deviation of a session's mean difference of losses; a report tells its own.",
)
@click.option(
    "--margin", type=float, default=0.05, show_default=True, help="Loss that counts as not inferior."
)
@click.option("--simulations", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True)
def command(
    gains: tuple[float, ...],
    *,
    days: tuple[int, ...],
    spread: float,
    margin: float,
    simulations: int,
    seed: int,
) -> None:
    """Print how often a shadow of so many days shows a true gain, to somebody who looks every day."""
    from ordinis_learn.shadow.power import power_of, wilson_interval  # noqa: PLC0415  scipy

    click.echo(f"{simulations} simulated shadows per row, labels of 5 sessions, one number every 5 sessions;")
    click.echo("better: the interval lay below 0 at some look; not inferior: below the margin (the gate);")
    click.echo("naive: a one-sided t-test at 2.5 % said better at some look\n")
    click.echo(
        f"{'gain':>8} {'days':>6} {'numbers':>8} {'better (95 %)':>24} {'not inferior':>13} {'naive':>8}"
    )
    for gain in gains or _GAINS:
        for found in power_of(
            gain / 100,
            days=sorted(days or _DAYS),
            spread=spread,
            margin=margin,
            simulations=simulations,
            seed=seed,
        ):
            low, high = wilson_interval(found.better, count=simulations)
            click.echo(
                f"{gain:>+7g}% {found.days:>6} {found.looks:>8} {f'{found.better:.1%} ({low:.1%} to {high:.1%})':>24} "
                f"{found.not_inferior:>12.1%} {found.naive:>8.1%}"
            )
