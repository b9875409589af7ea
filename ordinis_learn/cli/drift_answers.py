"""``ordinis-learn drift answers``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import click

from ordinis_learn.cli.command import learn_command, opened

_DATE: Any = click.DateTime(["%Y-%m-%d"])


@learn_command(
    "answers",
    example="ordinis-learn drift answers models:/cortex/1 --reference-start 2024-01-02 --reference-end 2024-03-29"
    " --start 2024-04-01 --end 2024-04-12",
)
@click.argument("name")
@click.option(
    "--reference-start", type=_DATE, required=True, help="First day of the answers to compare with."
)
@click.option("--reference-end", type=_DATE, required=True, help="Last day of them.")
@click.option("--start", type=_DATE, required=True, help="First day to check (UTC).")
@click.option("--end", type=_DATE, required=True, help="Last day to check.")
@click.option(
    "--by",
    type=click.Choice(["session", "document"]),
    default="session",
    show_default=True,
    help="What moves together: answers of one stretch of days, or answers about one document.",
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str,
    reference_start: datetime,
    reference_end: datetime,
    start: datetime,
    end: datetime,
    by: Literal["session", "document"],
) -> None:
    """Check a language model's recent answers against earlier ones.

    Measured are refusals, broken outputs, uncovered claims, slow answers, and where the texts lie.
    NAME is a prompt pack as the events name it, a model, or MODEL@PACK. A breach is remembered, alerted, and exits with 0.
    """
    from ordinis_learn.use_cases.answer_drift import check_answer_drift  # noqa: PLC0415

    with opened(ctx) as engine:
        report = check_answer_drift(
            engine.workbench,
            name,
            reference=(reference_start.date(), reference_end.date()),
            start=start.date(),
            end=end.date(),
            unit=by,
        )
    for finding in report.findings:
        click.echo(
            f"{finding.severity:<9} {finding.feature:<18} {finding.metric:<17} {finding.value:8.4f}  "
            f"null {finding.threshold:.4f}  q={finding.q_value:.3f}"
        )
    verdict = "BREACHED" if report.breached else "no breach"
    click.echo(f"{verdict}: {report.current_rows} answers beside {report.reference_rows}")
