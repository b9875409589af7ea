"""``ordinis-learn doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ordinis_learn.cli.command import learn_command

if TYPE_CHECKING:
    from ordinis_learn.use_cases.diagnose import Finding


@learn_command("doctor", example="ordinis-learn doctor")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Say what is missing and what to type.

    Runs that a killed process of this host left RUNNING are ended as KILLED. Exits with 1 when something that is needed is missing; optional parts are only named.
    """
    from ordinis_learn.use_cases.diagnose import diagnose  # noqa: PLC0415
    from ordinis_learn.wiring import deciding_policy, look_at_registry  # noqa: PLC0415

    overrides = dict(ctx.find_root().obj or {})
    findings = diagnose(overrides, decides=deciding_policy, look=look_at_registry)
    if not any(finding.status == "missing" for finding in findings):
        findings.extend(_former_catalogue(overrides))
        findings.extend(_registry(overrides))
        findings.extend(_runs(overrides))
        findings.extend(_drills(overrides))
    for finding in findings:
        click.echo(f"{finding.status:<8} {finding.subject:<22} {finding.found}")
        if finding.next_step:
            click.echo(f"{'':<8} {'':<22} next: {finding.next_step}")
    if any(finding.status == "missing" for finding in findings):
        ctx.exit(1)


def _former_catalogue(overrides: dict[str, Any]) -> list[Finding]:
    """Return what waits in the home's own file, where the registry is elsewhere."""
    from ordinis_learn.errors import LearnError  # noqa: PLC0415
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.use_cases.diagnose import Finding  # noqa: PLC0415
    from ordinis_learn.wiring import former_catalogue  # noqa: PLC0415

    try:
        former_catalogue(load_settings(**overrides)).must_be_decided()
    except LearnError as error:
        return [
            Finding(
                status="missing", subject="catalogue of before", found=error.found, next_step=error.next_step
            )
        ]
    return []


def _registry(overrides: dict[str, Any]) -> list[Finding]:
    """Return what ledger and registry say differently, where there is a registry."""
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.use_cases.diagnose import Finding  # noqa: PLC0415

    settings = load_settings(**overrides)
    from ordinis_learn.wiring import disagreements, has_registry  # noqa: PLC0415

    if not has_registry(settings):
        return []
    found = disagreements(settings)  # seconds of imports
    if not found:
        return [
            Finding(status="ok", subject="registry", found="ledger, stages, aliases, tags and bytes agree")
        ]
    return [
        Finding(status="missing", subject="registry", found=str(one), next_step=one.next_step)
        for one in found
    ]


def _runs(overrides: dict[str, Any]) -> list[Finding]:
    """End runs of dead processes and return which, where there are runs."""
    from ordinis_learn.errors import LearnError  # noqa: PLC0415
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.use_cases.diagnose import Finding  # noqa: PLC0415
    from ordinis_learn.wiring import end_dead_runs, has_registry  # noqa: PLC0415

    settings = load_settings(**overrides)
    if not has_registry(settings):
        return []
    try:
        ended = end_dead_runs(settings)
    except LearnError as error:
        return [Finding(status="missing", subject="runs", found=error.found, next_step=error.next_step)]
    if not ended:
        return [Finding(status="ok", subject="runs", found="none was left running by a process that is gone")]
    return [
        Finding(status="ok", subject="runs", found=f"{one.run_id} ended as KILLED: {one.reason}")
        for one in ended
    ]


def _drills(overrides: dict[str, Any]) -> list[Finding]:
    """Return what killed drills left."""
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.use_cases.diagnose import Finding  # noqa: PLC0415
    from ordinis_learn.wiring import abandoned_drills, has_registry  # noqa: PLC0415

    settings = load_settings(**overrides)
    left = abandoned_drills(settings) if has_registry(settings) else []
    step = (
        "ordinis-learn drill removes what a dead drill left; a database of an earlier release: DROP DATABASE"
    )
    return [
        Finding(status="optional", subject="killed drill", found=f"left {one}", next_step=step)
        for one in left
    ]
