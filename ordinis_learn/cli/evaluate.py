"""``ordinis-learn evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ordinis_learn.cli.command import learn_command, opened

if TYPE_CHECKING:
    from ordinis_learn.engine import LearningEngine
    from ordinis_learn.records import ModelType
    from ordinis_learn.settings import Settings


@learn_command("evaluate", example="ordinis-learn evaluate sp500_signal 2 --pack bench_core_v1")
@click.argument("name")
@click.argument("versions", nargs=-1, required=True)
@click.option(
    "--pack",
    default="",
    help="The pack: of prices for signal models, of questions for others (default: what the policy asks of the type).",
)
@click.option(
    "--overlap",
    type=click.Choice(["purge", "refuse"]),
    default="purge",
    show_default=True,
    help="Leave out windows that training has touched, or refuse to judge when there is one.",
)
@click.option(
    "--calibrations",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Pseudo-sequences to choose the bootstrap's block length by; 0 takes the cube root of the sessions.",
)
@click.option("--compete", is_flag=True, help="Judge two or more versions together; needs the extra compete.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that was found.")
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    versions: tuple[str, ...],
    *,
    pack: str,
    overlap: str,
    calibrations: int,
    compete: bool,
    as_json: bool,
) -> None:
    """Judge a model on a pack of its kind, against what is active.

    With --compete, judge several together: is the best of them better, once picking it is taken into account.
    """
    import json  # noqa: PLC0415

    if len(versions) > 1 and not compete:
        raise click.UsageError("name one version, or add --compete to judge several together")
    with opened(ctx) as engine:
        if compete:
            report = _competition(engine, name, versions, pack=pack, overlap=overlap)
        else:
            report = _scorecard(
                engine, name, versions[0], pack=pack, overlap=overlap, calibrations=calibrations
            )
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    from ordinis_learn.cli.evaluation_text import competition_lines, scorecard_lines  # noqa: PLC0415

    for line in competition_lines(report) if compete else scorecard_lines(report):
        click.echo(line)


def _scorecard(
    engine: LearningEngine, name: str, version: str, *, pack: str, overlap: Any, calibrations: int
) -> dict[str, Any]:
    from ordinis_learn.use_cases.find import find_artifact  # noqa: PLC0415
    from ordinis_learn.use_cases.judge import judge  # noqa: PLC0415

    bench = engine.workbench
    artifact = find_artifact(bench, name, version)
    pack = pack or _default_pack(bench.settings, artifact.model_type)
    scorecard = judge(bench, artifact.artifact_id, pack, overlap=overlap, calibrations=calibrations)
    return scorecard.to_json()


def _competition(
    engine: LearningEngine, name: str, versions: tuple[str, ...], *, pack: str, overlap: Any
) -> dict[str, Any]:
    from ordinis_learn.records import ModelType  # noqa: PLC0415
    from ordinis_learn.use_cases.compete import compete_versions  # noqa: PLC0415

    pack = pack or _default_pack(engine.workbench.settings, ModelType.SIGNAL_MODEL)
    return compete_versions(engine.workbench, name, versions, pack, overlap=overlap).to_json()


def _default_pack(settings: Settings, model_type: ModelType) -> str:
    from ordinis_learn.use_cases.default_pack import default_pack  # noqa: PLC0415
    from ordinis_learn.wiring import deciding_policy  # noqa: PLC0415

    return default_pack(settings, model_type, policy_id=deciding_policy(settings))
