"""What the loop shows of its results, and what to look at next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ordinis_learn.loop.display import Display
from ordinis_learn.loop.plan import LoopPlan
from ordinis_learn.records import AuditRecord, DriftReport, ModelArtifact
from ordinis_learn.use_cases.dossier import write_dossier
from ordinis_learn.wiring import registry_uri, tracking_uri
from ordinis_learn.workbench import Workbench

__all__ = ["SERVER_PAGES", "changes_of_active", "show_drift", "show_scorecard", "show_summary"]

SERVER_PAGES = "http://127.0.0.1:5000/#"
"""Where the server of the closing summary's command shows its pages."""

_SHOWN = ("sharpe", "cagr", "volatility", "max_drawdown", "turnover")


def show_scorecard(display: Display, report: Mapping[str, Any]) -> None:
    """Print the chief metrics of a scorecard beside the baseline's, and the paired differences."""
    purged = len(report["purged_windows"])
    display.say(
        f"{report['pack_id']}: {report['windows']} windows, {report['sessions']} sessions"
        + (f", {purged} windows purged" if purged else "")
    )
    metrics, baseline = report["metrics"], report["baseline_metrics"]
    rows = [(name, metrics.get(name), baseline.get(name)) for name in _SHOWN]
    display.table("metric", f"v{report['subject']['version']}", "baseline", rows=rows)
    for name, difference in report["differences"].items():
        if name not in _SHOWN:
            continue  # the same difference by another method; the dossier has them all
        display.say(f"Δ{name} {_described(difference)}")


def _described(difference: Mapping[str, Any]) -> str:
    interval, p_value = difference["interval"], difference["p_value"]
    text = f"{difference['estimate']:+.3f}"
    if interval["low"] is not None:
        text += f" [{interval['low']:+.3f}, {interval['high']:+.3f}]"
    if p_value is not None:
        text += f", p={p_value:.3f}"
    text += f": {difference['verdict']}"
    detectable = difference["minimum_detectable"]
    return text if detectable is None else f"{text} (these sessions can show {detectable:.2f} or more)"


def show_drift(display: Display, report: DriftReport) -> None:
    """Print the largest findings, with the threshold that no drift would reach."""
    psi = [finding for finding in report.findings if finding.metric == "psi"]
    largest = sorted(psi, key=lambda finding: -finding.value)[:5]
    rows = [(f.feature, f.value, f.threshold, f.q_value, f.severity) for f in largest]
    display.table("feature", "PSI", "null at this size", "q", "severity", rows=rows)
    verdict = "breached" if report.breached else "not breached"
    display.say(f"{report.current_rows:,} rows against {report.reference_rows:,}: {verdict}")


def changes_of_active(records: Sequence[AuditRecord]) -> Iterator[tuple[datetime, str | None]]:
    """Yield when what was ACTIVE changed, and to which version; None is flat."""
    active: str | None = None
    for record in records:
        now = record.body.get("pointers", {}).get("active", active)
        if now != active:
            active = now
            yield record.at, active


def show_summary(
    display: Display,
    bench: Workbench,
    *,
    plan: LoopPlan,
    artifacts: Sequence[ModelArtifact],
    study_page: str | None,
) -> None:
    """Write the dossiers and print what to look at next."""
    settings = bench.settings
    dossiers = [write_dossier(bench, artifact.name, artifact.version) for artifact in artifacts]
    server = (
        f"mlflow server --port 5000 --backend-store-uri {tracking_uri(settings)} "
        f"--registry-store-uri {registry_uri(settings)}"
    )
    home = "" if settings.home.samefile(".") else f" --home {settings.home}"
    lines = ["Look at the runs, the models and their stages:", f"  {server}"]
    pages = (study_page, f"{SERVER_PAGES}/models/{plan.model}")
    lines += [f"  {page}" for page in pages if page is not None]
    lines += ["Read the evidence:"] + [f"  {path}" for path in dossiers]
    lines += [
        "Ask the ledger, roll back:",
        f"  ordinis-learn{home} ledger verify",
        f"  ordinis-learn{home} ledger history {plan.model}",
        f"  ordinis-learn{home} rollback {plan.model} --reason 'why'",
    ]
    display.closing("What to look at next", lines)
