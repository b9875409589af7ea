"""``ordinis-learn shadow``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ordinis_learn.cli.command import learn_command, opened
from ordinis_learn.cli.shadow_power import command as power

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ordinis_learn.records import ShadowReport, SideFigures
    from ordinis_learn.shadow.runner import ShadowRunner
    from ordinis_learn.workbench import Workbench

_DATE = click.DateTime(["%Y-%m-%d"])
_SOURCES = click.Choice(["features", "signals"])


@click.group("shadow", epilog="Example: ordinis-learn shadow run sp500_signal 2 --follow")
def command() -> None:
    """Run a candidate beside the active model."""


command.add_command(power)


@command.add_command
@learn_command("run", example="ordinis-learn shadow run sp500_signal 2 --source signals")
@click.argument("name")
@click.argument("version")
@click.option("--follow", is_flag=True, help="Go on as events are recorded, until SIGTERM or SIGINT.")
@click.option(
    "--bus", "url", help="Record feature events from this broker, too, and score each batch as it comes."
)
@click.option("--until", type=click.IntRange(0), metavar="POSITION", help="Stop at this position of the log.")
@click.option(
    "--source",
    type=_SOURCES,
    default="features",
    show_default=True,
    help="Read feature events, or the features that signals carry.",
)
@click.pass_context
def run(
    ctx: click.Context,
    name: str,
    version: str,
    *,
    follow: bool,
    url: str | None,
    until: int | None,
    source: str,
) -> None:
    """Score feature events by a version and by what is active; go on where the last run stopped.

    Both models' answers are kept in data/shadow/, with the position of the log that they reach. A version has one runner at a time.
    """
    from ordinis_learn.use_cases.shadow_run import shadow_runner  # noqa: PLC0415  seconds of imports

    if url is not None and until is not None:
        raise click.UsageError("--until is a position of the log that is there; --bus waits for what comes")
    with opened(ctx) as engine:
        bench = engine.workbench
        with shadow_runner(
            bench, name, version, source="signals" if source == "signals" else "features"
        ) as runner:
            position = _catch_up(runner, until=until)
            if url is not None:
                _from_bus(bench, runner, url=url, source=source)
            while follow and url is None and (until is None or position < until):
                time.sleep(bench.settings.learn_shadow_poll_s)
                position = max(position, _catch_up(runner, until=until))


@command.add_command
@learn_command("report", example="ordinis-learn shadow report sp500_signal 2")
@click.argument("name")
@click.argument("version")
@click.option("--calendar", default="XNYS", show_default=True, help="What a session is, e.g. XLON or 24/7.")
@click.pass_context
def report(ctx: click.Context, name: str, version: str, *, calendar: str) -> None:
    """Report on what a runner has kept, sign it, and attach it to the version.

    It may be looked at every day: the interval holds at all times at once.
    """
    from ordinis_learn.use_cases.shadow_run import report_shadow  # noqa: PLC0415  seconds of imports

    with opened(ctx) as engine:
        _show(report_shadow(engine.workbench, name, version, calendar=calendar))


@command.add_command
@learn_command(
    "replay", example="ordinis-learn shadow replay sp500_signal 1 --start 2022-01-03 --end 2022-06-30"
)
@click.argument("name")
@click.argument("version")
@click.option("--start", type=_DATE, required=True, help="First session.")
@click.option("--end", type=_DATE, required=True, help="Last session.")
@click.pass_context
def replay(ctx: click.Context, name: str, version: str, *, start: datetime, end: datetime) -> None:
    """Replay captured sessions through candidate and active model at once, and sign what was seen.

    The features are computed from captured bars; nothing is read of what was told live.
    """
    from ordinis_learn.use_cases.find import find_artifact  # noqa: PLC0415
    from ordinis_learn.use_cases.shadow import shadow  # noqa: PLC0415

    with opened(ctx) as engine:
        artifact = find_artifact(engine.workbench, name, version)
        _show(shadow(engine.workbench, artifact.artifact_id, start=start.date(), end=end.date()))


def _catch_up(runner: ShadowRunner, *, until: int | None) -> int:
    position = 0
    for progress in runner.catch_up(until=until):
        position = progress.position
        click.echo(
            f"{progress.rows} events scored, {progress.failures} without an answer, position {position}"
        )
    return position


def _from_bus(bench: Workbench, runner: ShadowRunner, *, url: str, source: str) -> None:
    from ordinis_learn.bus import Subscription, record_from_bus  # noqa: PLC0415
    from ordinis_learn.cli.bus import run_on_bus  # noqa: PLC0415
    from ordinis_learn.records import Topic  # noqa: PLC0415
    from ordinis_learn.use_cases.shadow_live import ScoringRecorder  # noqa: PLC0415

    topic = Topic.SIGNAL if source == "signals" else Topic.FEATURES
    subscription = Subscription(
        topics=(topic.value,),
        group=bench.settings.learn_bus_group,
        batch_size=bench.settings.learn_bus_batch,
        ack_wait_seconds=bench.settings.learn_bus_ack_wait_s,
    )
    recorder = ScoringRecorder(bench.recorder, runner)
    receipt = run_on_bus(
        url, lambda bus, stop: record_from_bus(bus, recorder, subscription=subscription, stop=stop)
    )
    click.echo(
        f"{receipt.accepted} stored, {receipt.duplicates} seen before, {receipt.quarantined} quarantined"
    )


def _show(report: ShadowReport) -> None:
    click.echo(f"{report.sessions} sessions, {report.decisions} decisions, {report.paired_decisions} paired")
    click.echo(f"parity {report.parity_max_abs_diff:g}, errors {report.errors}, NaN {report.nan_predictions}")
    if report.loss_interval is not None:
        click.echo(
            f"loss, candidate minus active: {report.loss_difference:+.4f}, at any time in "
            f"[{report.loss_interval.low:+.4f}, {report.loss_interval.high:+.4f}]; {report.matured} matured labels"
        )
    figures = report.figures
    if figures is None:
        return
    left_out = (("late", figures.late), ("repeated", figures.repeated), ("ahead of the clock", figures.ahead))
    beside = ", ".join(
        f"{number} beside {name or 'nothing'}" for name, number in sorted(figures.beside.items())
    )
    click.echo(
        f"{figures.counted} of {figures.events} events count since {figures.counted_from} ({beside}); "
        + ", ".join(f"{number} {name}" for name, number in left_out)
        + f"; {figures.outside} outside, {figures.empty_sessions} sessions without an event"
    )
    rows: list[tuple[str, Callable[[SideFigures], str]]] = [
        ("errors, timeouts, NaN, missing", lambda s: f"{s.errors}, {s.timeouts}, {s.nan}, {s.missing}"),
        (
            "latency ms p50, p95, p99",
            lambda s: f"{s.latency_ms_p50:.3g}, {s.latency_ms_p95:.3g}, {s.latency_ms_p99:.3g}",
        ),
        ("rank IC (sessions)", lambda s: f"{s.rank_ic:+.3f} ({s.rank_ic_sessions})"),
        (
            "turnover, gross, net",
            lambda s: f"{s.turnover:.3f}, {s.gross_exposure_mean:.3f}, {s.net_exposure_mean:+.3f}",
        ),
        ("limit breaches", lambda s: f"{sum(s.limit_breaches.values())}"),
    ]
    for title, cell in rows:
        active = cell(figures.active) if figures.active is not None else "–"
        click.echo(f"{title:<32} {cell(figures.candidate):>26} {active:>26}")
