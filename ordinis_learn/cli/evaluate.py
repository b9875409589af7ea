"""``ordinis-learn evaluate``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command, opened


@learn_command("evaluate", example="ordinis-learn evaluate sp500_signal 2 --pack bench_core_v1")
@click.argument("name")
@click.argument("version")
@click.option("--pack", default="bench_core_v1", show_default=True, help="The benchmark pack.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole scorecard.")
@click.pass_context
def command(ctx: click.Context, name: str, version: str, pack: str, *, as_json: bool) -> None:
    """Judge a model on a benchmark pack, against what is active."""
    import json  # noqa: PLC0415

    from ordinis_learn.use_cases.find import find_artifact  # noqa: PLC0415

    with opened(ctx) as engine:
        artifact = find_artifact(engine.workbench, name, version)
        report = engine.evaluate(artifact.artifact_id, pack)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(f"{name} v{version} on {pack}: {report['windows']} windows, {report['sessions']} sessions")
    for metric, value in report["metrics"].items():
        baseline = report["baseline_metrics"].get(metric)
        click.echo(f"  {metric:<22} {_number(value):>10}   baseline {_number(baseline):>10}")
    for metric, difference in report["differences"].items():
        click.echo(
            f"  Δ{metric} {difference['estimate']:+.3f}  p={difference['p_value']:.3f}  {difference['verdict']}"
        )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
