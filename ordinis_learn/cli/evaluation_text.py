"""A scorecard, a competition and recorded answers as lines for a terminal; they read the JSON that ``--json`` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["competition_lines", "recorded_lines", "scorecard_lines"]


def scorecard_lines(card: Mapping[str, Any]) -> Iterator[str]:
    """Yield metrics, differences with what they could have shown, and the chances with their convention."""
    subject = card["subject"]
    yield (
        f"{subject['name']} v{subject['version']} on {card['pack_id']}: {card['windows']} windows, "
        f"{card['sessions']} sessions"
    )
    if card["purged_windows"]:
        yield f"  left out, seen in training: {len(card['purged_windows'])} windows"
    for metric, value in card["metrics"].items():
        baseline = card["baseline_metrics"].get(metric)
        why = f"   ({card['metric_quality'][metric]})" if metric in card["metric_quality"] else ""
        yield f"  {metric:<22} {number(value):>10}   baseline {number(baseline):>10}{why}"
    for metric, difference in card["differences"].items():
        yield f"  Δ{metric} {_difference(difference)}"
    for name, why in card["metric_quality"].items():
        if name not in card["metrics"] and not name.startswith("baseline."):
            yield f"  {name}: {why}"
    if card.get("statistics"):
        yield from _chances(card["statistics"], trials=card["trials"], sessions=card["sessions"])


def _difference(difference: Mapping[str, Any]) -> str:
    interval = difference["interval"]
    shown = (
        f"{number(difference['estimate'], signed=True)} "
        f"[{number(interval['low'], signed=True)}, {number(interval['high'], signed=True)}] "
        f"p={number(difference['p_value'])}  {difference['verdict']}"
    )
    if difference["minimum_detectable"] is not None:
        shown += f"; {difference['sessions']} sessions detect {difference['minimum_detectable']:.2f}"
    if difference["verdict"] == "inconclusive" and difference["sessions_needed"] is not None:
        shown += f", the estimate takes {difference['sessions_needed']:,.0f}"
    return shown


def _chances(statistics: Mapping[str, Any], *, trials: int, sessions: int) -> Iterator[str]:
    """Yield a line per convention, the tests held to one level, the choice among versions, and the run."""
    for year, what in (("2012", "at the estimate"), ("2025", "under the null, autocorrelated")):
        record = statistics[f"min_track_record_sessions_{year}"]
        took = "no length suffices" if record is None else f"{record:,.0f} of {sessions:,} sessions"
        yield (
            f"  {year} form (variance {what}): probabilistic Sharpe "
            f"{number(statistics[f'probabilistic_sharpe_{year}'])}, deflated by {trials} trials "
            f"{number(statistics[f'deflated_sharpe_{year}'])}, track record at "
            f"{statistics['track_record_confidence']:.0%}: {took}"
        )
    adjusted = ", ".join(f"{name} {number(value)}" for name, value in statistics["adjusted_p_values"].items())
    yield f"  Holm, tests held to one level together: {adjusted}"
    if statistics["overfitting"]:
        yield f"  {_overfitting(statistics['overfitting'])}"
    yield f"  windows that training has seen: {statistics['overlap']}"
    yield "  run: " + ", ".join(f"{name} {number(value)}" for name, value in statistics["system"].items())


def competition_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the answer of the joint tests, then a line per version."""
    benchmark = report["benchmark"]
    against = "cash" if benchmark is None else f"v{benchmark['version']}"
    yield (
        f"{report['name']} on {report['pack_id']}: {len(report['contenders'])} versions against {against}, "
        f"{report['sessions']} sessions no training has seen"
    )
    yield (
        f"  any better: p={number(report['p_consistent'])} "
        f"[{number(report['p_lower'])}, {number(report['p_upper'])}]  ({report['method']})"
    )
    for one in report["contenders"]:
        difference = "" if one["difference"] is None else f"  Δsharpe {_difference(one['difference'])}"
        why = f"  ({one['quality']})" if one["quality"] else ""
        better = "better" if one["better"] else "not shown to be better"
        yield (
            f"  v{one['subject']['version']}  sharpe {number(one['sharpe'])}  p={number(one['p_value'])}, by Holm "
            f"{number(one['adjusted_p_value'])}  {better} at {report['alpha']:.0%}{difference}{why}"
        )
    yield (
        f"  {_overfitting(report['overfitting'])}"
        if report["overfitting"]
        else (f"  overfitting: {report['quality'].get('overfitting', 'undefined')}")
    )


def _overfitting(found: Mapping[str, Any]) -> str:
    return (
        f"probability of overfitting {number(found['probability'])} among versions {', '.join(found['candidates'])} "
        f"({found['splits']:,} splits of {found['sessions']:,} sessions)"
    )


def recorded_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a block per source, then the comparison."""
    for source in report["sources"]:
        asked_by = source["prompt_pack"] or "no pack named"
        yield (
            f"{source['model'] or 'no model named'}, {asked_by}: {source['answers']} answers in {source['clusters']} "
            f"clusters, {source['repeated']} replays left out"
        )
        if source["without_schema"]:
            yield f"  {source['without_schema']} answers judged as JSON only: their output schema is not known"
        for name, found in source["measures"].items():
            interval, why = found["interval"], f"   ({found['quality']})" if found["quality"] else ""
            reach = f"[{number(interval['low'])}, {number(interval['high'])}] of {found['items']:,}"
            yield f"  {name:<32} {number(found['value']):>10}   {reach}{why}"
    if report["unattributed_refusals"]:
        yield f"{report['unattributed_refusals']} refusals name neither a request, a pack nor a conversation"
    if comparison := report["comparison"]:
        yield (
            f"{comparison['subject']} against {comparison['baseline']}: {comparison['pairs']} pairs by "
            f"{comparison['paired_by']}, {comparison['clusters']} clusters"
        )
        for name, difference in comparison["differences"].items():
            yield f"  Δ{name} {_difference(difference)}"
        for name, why in comparison["quality"].items():
            yield f"  {name}: {why}"


def number(value: float | None, *, signed: bool = False) -> str:
    """Show a number with four digits after the point, and a dash where there is none.

    Examples
    --------
    >>> number(0.5), number(0.5, signed=True), number(None)
    ('0.5000', '+0.5000', '–')
    """
    if value is None:
        return "–"
    return f"{value:+.4f}" if signed else f"{value:.4f}"
