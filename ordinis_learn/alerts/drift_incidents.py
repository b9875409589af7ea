"""From a drift check to incidents: new ones once they persist, repeats of open ones, and clean days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ordinis_learn.alerts.context import Context
from ordinis_learn.alerts.incidents import Sighting, close, raise_alert
from ordinis_learn.alerts.persistence import persists
from ordinis_learn.records import Alert, AlertChanges, DriftAlert, DriftReport, ModelType, Severity

__all__ = ["DriftSighting", "on_drift_check"]

_BREACH: tuple[Severity, ...] = ("warning", "critical")


@dataclass(frozen=True, kw_only=True)
class DriftSighting:
    """A drift check and what it must be judged beside.

    Attributes
    ----------
    report : DriftReport
    raised : sequence of DriftAlert
        One per metric that breached, from :func:`ordinis_learn.drift.alerts_for`.
    identity : str
        Of the check's window.
    history : sequence of DriftReport
        The daily checks before, oldest first; empty for a span that was chosen by hand, which speaks for itself.
    daily : bool
        Whether persistence is asked for.
    model_type : ModelType, optional
    """

    report: DriftReport
    raised: Sequence[DriftAlert]
    identity: str
    history: Sequence[DriftReport]
    daily: bool
    model_type: ModelType | None = None


def on_drift_check(standing: Sequence[Alert], seen: DriftSighting, *, context: Context) -> AlertChanges:
    """Return what one check means for a model's incidents.

    A breach of a metric whose features an open alert holds is a repeat. Features that none holds open a new alert, once their
    breach persists. An open alert of this version that the check does not confirm has a clean day; enough of them close it.
    Only what is opened, or grows worse, is told and put on the bus.
    """
    of_version = [
        alert for alert in standing if alert.kind == "drift" and alert.version == seen.report.version
    ]
    changes = AlertChanges()
    for raised in seen.raised:
        changes += _judge(of_version, raised, seen=seen, context=context)
    touched = {alert.alert_id for alert in changes.alerts}
    for alert in of_version:
        if alert.alert_id not in touched and not _confirmed(alert, seen.raised):
            changes += _clean_day(alert, seen=seen, context=context)
    return changes


def _judge(
    standing: Sequence[Alert], raised: DriftAlert, *, seen: DriftSighting, context: Context
) -> AlertChanges:
    changes = AlertChanges()
    left = set(raised.features)
    for alert in standing:
        shared = left & set(alert.features) if alert.metric == raised.metric else set()
        if shared:
            left -= shared
            changes += _raise([alert], raised, features=shared, seen=seen, context=context)
    new = {name for name in left if _persists(raised.metric, name, seen=seen, context=context)}
    return changes + _raise([], raised, features=new, seen=seen, context=context) if new else changes


def _raise(
    standing: Sequence[Alert],
    raised: DriftAlert,
    *,
    features: set[str],
    seen: DriftSighting,
    context: Context,
) -> AlertChanges:
    named = tuple(name for name in raised.features if name in features)
    sighting = Sighting(
        kind="drift",
        subject=raised.model,
        version=raised.version,
        metric=raised.metric,
        features=named,
        severity=_worst(seen.report, raised.metric, features),
        summary=f"{raised.metric} of {', '.join(named)} breached at {seen.report.end:%Y-%m-%d}: "
        f"{raised.value:.4g} over {raised.threshold:.4g}",
        value=raised.value,
        threshold=raised.threshold,
        source=seen.identity,
        model_type=seen.model_type,
    )
    changes = raise_alert(standing, sighting, context=context)
    # What was only counted again has no message and no order: it is no news for the bus either.
    if not any(fact.what == "opened" for fact in changes.facts) and not changes.responses:
        return changes
    told = raised.model_copy(update={"action": _action(changes)})
    return changes.model_copy(update={"drift_alerts": (told,)})


def _action(changes: AlertChanges) -> Literal["alert", "block_promotions", "roll_back"]:
    ordered = {response.action for response in changes.responses}
    if "roll_back" in ordered:
        return "roll_back"
    return "block_promotions" if any(alert.blocks for alert in changes.alerts) else "alert"


def _worst(report: DriftReport, metric: str, features: set[str]) -> Severity:
    found = {one.severity for one in report.findings if one.metric == metric and one.feature in features}
    return "critical" if "critical" in found else "warning"


def _persists(metric: str, feature: str, *, seen: DriftSighting, context: Context) -> bool:
    if not seen.daily:
        return True
    reports = [*seen.history, seen.report]
    by_severity = context.policy.persistence
    critical = [_severity(report, metric, feature) == "critical" for report in reports]
    breached = [_severity(report, metric, feature) in _BREACH for report in reports]
    return persists(critical, k=by_severity.critical.k, n=by_severity.critical.n) or persists(
        breached, k=by_severity.warning.k, n=by_severity.warning.n
    )


def _severity(report: DriftReport, metric: str, feature: str) -> Severity:
    return next(
        (one.severity for one in report.findings if (one.metric, one.feature) == (metric, feature)), "none"
    )


def _confirmed(alert: Alert, raised: Sequence[DriftAlert]) -> bool:
    return any(one.metric == alert.metric and set(one.features) & set(alert.features) for one in raised)


def _clean_day(alert: Alert, *, seen: DriftSighting, context: Context) -> AlertChanges:
    if not seen.daily or alert.last_source == seen.identity:
        return AlertChanges()
    clean = alert.clean + 1
    changed = alert.model_copy(update={"clean": clean, "last_source": seen.identity})
    if clean >= context.policy.close_after_clean_checks:
        return close(changed, why=f"{clean} checks in a row were clean", context=context)
    said = f"clean for {clean} of {context.policy.close_after_clean_checks} checks"
    fact = context.fact(changed, "clean", source=seen.identity, said=said)
    return AlertChanges(alerts=(changed,), facts=(fact,))
