"""From a breached report to the alerts that people and policies act on."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from ordinis_learn.records import DriftAlert, DriftFinding, DriftReport, hash_of

__all__ = ["alerts_for"]

_BREACH: Final = frozenset({"warning", "critical"})


def alerts_for(report: DriftReport) -> tuple[DriftAlert, ...]:
    """Return one alert per metric that breached, the worst feature's numbers in it.

    A critical finding blocks promotions, a warning only tells. Whether to roll back is for the policy,
    not for a detector. The same report gives the same identities; a report without breach gives none.
    """
    breaches = sorted(
        (finding for finding in report.findings if finding.severity in _BREACH),
        key=lambda finding: (finding.metric, finding.severity != "critical", -finding.value, finding.feature),
    )
    grouped = groupby(breaches, key=lambda finding: finding.metric)
    return tuple(_alert(report, tuple(findings)) for _, findings in grouped)


def _alert(report: DriftReport, findings: tuple[DriftFinding, ...]) -> DriftAlert:
    worst = findings[0]
    identity = {"report": report.content_hash(), "metric": worst.metric}
    return DriftAlert(
        alert_id=hash_of(identity, domain="ordinis.drift.alert.v1")[:32],
        model=report.model,
        version=report.version,
        severity=worst.severity,
        features=tuple(finding.feature for finding in findings),
        metric=worst.metric,
        value=worst.value,
        threshold=worst.threshold,
        action="block_promotions" if worst.severity == "critical" else "alert",
        at=report.created_at,
    )
