"""A shadow report in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from ordinis_learn.records import ShadowReport, SideFigures

__all__ = ["show_answers", "show_report"]


def show_report(report: ShadowReport) -> None:
    """Print a report on a model; what only a runner measures follows where it was one."""
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
    if figures.prospective is not None:
        click.echo(
            f"{figures.prospective} of the {figures.counted} were scored before their outcome was known, the others over the past"
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


def show_answers(report: ShadowReport) -> None:
    """Print what two packs of prompts did with the same requests."""
    found, loss = report.answers, report.loss_interval
    if found is None or loss is None:
        return
    click.echo(
        f"{found.requests} requests, {found.paired} paired ({found.recorded} recorded, {found.asked} asked), "
        f"{found.unpaired} without the candidate's answer"
    )
    click.echo(
        f"of no use, candidate minus active: {report.loss_difference:+.4f}, at any time in "
        f"[{loss.low:+.4f}, {loss.high:+.4f}]"
    )
    click.echo(f"{'':<20} {'candidate':>10} {'active':>10}")
    for name, value in found.candidate.items():
        click.echo(f"{name:<20} {value:>10.4g} {found.active[name]:>10.4g}")
    for name, rate in found.differences.items():
        click.echo(
            f"{name:<20} {rate.difference:+.4f} in [{rate.low:+.4f}, {rate.high:+.4f}] over {rate.pairs} pairs, "
            f"{rate.gained} gained, {rate.lost} lost, p {rate.p_value:.3g}"
        )
