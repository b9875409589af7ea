"""``ordinis-learn shadow``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ordinis_learn.cli.command import learn_command, opened
from ordinis_learn.cli.shadow_power import command as power
from ordinis_learn.cli.shadow_text import show_answers, show_report

if TYPE_CHECKING:
    from datetime import datetime

    from ordinis_learn.records import ModelArtifact
    from ordinis_learn.shadow.feed import Source
    from ordinis_learn.shadow.runner import ShadowRunner
    from ordinis_learn.workbench import Workbench

_DATE = click.DateTime(["%Y-%m-%d"])
_SOURCES = click.Choice(["features", "signals"])
_DOCUMENTS = click.option(
    "--documents",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of a pack of prompts: texts of the documents, JSON lines of {doc_id, locator, text}.",
)


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
    help="Read feature events, or the features that signals carry (default: LEARN_SHADOW_SOURCE).",
)
@_DOCUMENTS
@click.pass_context
def run(
    ctx: click.Context,
    *,
    name: str,
    version: str,
    follow: bool,
    url: str | None,
    until: int | None,
    source: Source | None,
    documents: Path | None,
) -> None:
    """Score feature events by a version and by what is active; go on where the last run stopped.

    Both models' answers are kept in data/shadow/, with the position of the log that they reach. A version has one runner at a time.
    A pack of prompts is asked what the active one was asked and it has not answered yet.
    """
    from ordinis_learn.records import ModelType  # noqa: PLC0415  pydantic
    from ordinis_learn.use_cases.find import find_artifact  # noqa: PLC0415  seconds of imports
    from ordinis_learn.use_cases.shadow_answers import ask_requests  # noqa: PLC0415
    from ordinis_learn.use_cases.shadow_run import shadow_runner  # noqa: PLC0415

    if url is not None and until is not None:
        raise click.UsageError("--until is a position of the log that is there; --bus waits for what comes")
    with opened(ctx) as engine:
        bench = engine.workbench
        artifact = find_artifact(bench, name, version)
        if artifact.model_type == ModelType.PROMPT_PACK:
            asked, unknown = ask_requests(bench, artifact, documents=documents)
            click.echo(
                f"{asked} requests answered, {unknown} cannot be asked again: query or documents are not known"
            )
            return
        chosen = source or bench.settings.learn_shadow_source
        with shadow_runner(bench, name, version, source=chosen) as runner:
            goes_on = follow or url is not None
            position = _one_pass(bench, artifact, runner, until=until, goes_on=goes_on)
            if url is not None:
                _from_bus(bench, artifact, runner, url=url, source=chosen)
            while follow and url is None and (until is None or position < until):
                time.sleep(bench.settings.learn_shadow_poll_s)
                position = max(position, _one_pass(bench, artifact, runner, until=until, goes_on=True))


@command.add_command
@learn_command("report", example="ordinis-learn shadow report sp500_signal 2")
@click.argument("name")
@click.argument("version")
@click.option("--calendar", default="XNYS", show_default=True, help="What a session is, e.g. XLON or 24/7.")
@_DOCUMENTS
@click.pass_context
def report(ctx: click.Context, name: str, version: str, *, calendar: str, documents: Path | None) -> None:
    """Report on what a runner has kept, sign it, and attach it to the version.

    It may be looked at every day: the interval holds at all times at once.
    """
    from ordinis_learn.records import ModelType  # noqa: PLC0415  pydantic
    from ordinis_learn.use_cases.find import find_artifact  # noqa: PLC0415  seconds of imports
    from ordinis_learn.use_cases.shadow_answers import report_answers  # noqa: PLC0415
    from ordinis_learn.use_cases.shadow_run import report_shadow  # noqa: PLC0415

    with opened(ctx) as engine:
        artifact = find_artifact(engine.workbench, name, version)
        if artifact.model_type == ModelType.PROMPT_PACK:
            show_answers(report_answers(engine.workbench, artifact, documents=documents))
        else:
            show_report(report_shadow(engine.workbench, name, version, calendar=calendar))


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
        show_report(shadow(engine.workbench, artifact.artifact_id, start=start.date(), end=end.date()))


def _one_pass(
    bench: Workbench, artifact: ModelArtifact, runner: ShadowRunner, *, until: int | None, goes_on: bool
) -> int:
    """Catch up and return the position; a model that was silent too often is an alert, and ends a run that does not go on."""
    from ordinis_learn.errors import ShadowSetAside  # noqa: PLC0415
    from ordinis_learn.use_cases.shadow_trouble import see_shadow_goes_on, see_shadow_trouble  # noqa: PLC0415

    try:
        position = _catch_up(runner, until=until)
    except ShadowSetAside as error:
        see_shadow_trouble(bench, artifact, error)
        if not goes_on:
            raise
        click.echo(str(error), err=True)
        return 0
    if position:
        see_shadow_goes_on(bench, artifact)
    return position


def _catch_up(runner: ShadowRunner, *, until: int | None) -> int:
    position = 0
    for progress in runner.catch_up(until=until):
        position = progress.position
        click.echo(
            f"{progress.rows} events scored, {progress.failures} without an answer, position {position}"
        )
    return position


def _from_bus(
    bench: Workbench, artifact: ModelArtifact, runner: ShadowRunner, *, url: str, source: Source
) -> None:
    from ordinis_learn.bus import Subscription, record_from_bus  # noqa: PLC0415
    from ordinis_learn.cli.bus import run_on_bus  # noqa: PLC0415
    from ordinis_learn.records import Topic  # noqa: PLC0415
    from ordinis_learn.use_cases.shadow_live import ScoringRecorder  # noqa: PLC0415
    from ordinis_learn.use_cases.shadow_trouble import see_shadow_trouble  # noqa: PLC0415

    topic = Topic.SIGNAL if source == "signals" else Topic.FEATURES
    subscription = Subscription(
        topics=(topic.value,),
        group=bench.settings.learn_bus_group,
        batch_size=bench.settings.learn_bus_batch,
        ack_wait_seconds=bench.settings.learn_bus_ack_wait_s,
    )
    recorder = ScoringRecorder(
        bench.recorder, runner, set_aside=lambda error: see_shadow_trouble(bench, artifact, error)
    )
    receipt = run_on_bus(
        url, lambda bus, stop: record_from_bus(bus, recorder, subscription=subscription, stop=stop)
    )
    click.echo(
        f"{receipt.accepted} stored, {receipt.duplicates} seen before, {receipt.quarantined} quarantined"
    )
